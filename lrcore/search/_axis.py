"""The axis of a parameter in a picture of trials, in its own units and on its scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lrcore._shared.types import Array
from lrcore._shared.words import printable
from lrcore.search._trial import short
from lrcore.space._choices import Choice
from lrcore.space._dimension import Dimension
from lrcore.space._numbers import Integer, Real

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROOM = 0.05  # beside the bounds, as a fraction of the axis
_MOST = 240.0  # decades from 1: matplotlib cannot make ticks beyond
_LABELS = 8  # at most, of ticks
_LETTERS = 12  # of a choice's label

Scale = Callable[[float], float]

_SCALES: dict[str, tuple[Scale, Scale]] = {
    "linear": (float, float),
    "log": (math.log10, lambda u: 10.0**u),
    "powers of 2": (math.log2, lambda u: 2.0**u),
    # 0.9, 0.99 and 0.999 are equally far from each other.
    "complement": (lambda v: -math.log10(1 - v), lambda u: 1 - 10.0**-u),
}


@dataclass(frozen=True)
class Axis:
    """The x axis of a parameter: the places of values, the limits and the ticks.

    places : returns the positions of values.
    ticks : positions and labels; None: matplotlib's own.
    ordered : whether the parameter is a number.
    """

    places: Callable[[Sequence[Any]], Array]
    limits: tuple[float, float]
    ticks: tuple[list[float], list[str]] | None
    log: bool = False
    ordered: bool = True

    def set_up(self, axes: Axes) -> None:
        """Set scale, limits and ticks of a picture's x axis."""
        if self.log:
            axes.set_xscale("log")
        axes.set_xlim(*self.limits)
        if self.ticks is not None:
            axes.set_xticks(*self.ticks, minor=False, parse_math=False)
            if not self.ordered and sum(map(len, self.ticks[1])) > 24:
                axes.tick_params(axis="x", rotation=30)


def axis_of(dimension: Dimension) -> Axis:
    """Return the axis of one dimension.  A number has the range that was searched."""
    if isinstance(dimension, Choice):
        return _of_choice(dimension)
    assert isinstance(dimension, (Real, Integer))
    forward, back = _SCALES[dimension.scale]
    low, high = forward(dimension.low), forward(dimension.high)
    room = _ROOM * (high - low)
    if dimension.scale == "linear":
        return Axis(np.asarray, (low - room, high + room), None)
    if dimension.scale == "log":
        limits = [10.0**u for u in np.clip([low - room, high + room], -_MOST, _MOST)]

        def on_axis(found: Sequence[Any]) -> Array:
            return np.asarray(np.clip(np.array(found, float), *limits))

        return Axis(on_axis, (limits[0], limits[1]), None, log=True)
    # matplotlib lacks these scales, so the positions are transformed values.
    if dimension.scale == "complement":
        values = [0.0, 0.5, *(1 - 10.0**-k for k in range(1, 16))]
        values = [v for v in values if dimension.low <= v <= dimension.high]
        if len(values) < 2:
            values = [back(u) for u in np.linspace(low, high, 3)]
    else:
        values = [2.0**k for k in range(int(low), int(high) + 1)]
    values = values[:: math.ceil(len(values) / _LABELS)]
    labels = [_label(v) for v in values]

    def places(found: Sequence[Any]) -> Array:
        return np.array([forward(v) for v in found])

    ticks = [forward(v) for v in values], labels
    return Axis(places, (low - room, high + room), ticks)


def _label(value: float) -> str:
    """Return a number as a label: 0.9999 has all its digits."""
    return f"{value:.15g}" if round(value, 9) == value else short(value)


def _of_choice(dimension: Choice) -> Axis:
    """Return the axis of a choice: a place for each value."""
    values = list(dimension.values)

    def places(found: Sequence[Any]) -> Array:
        # The golden ratio spreads neighbours evenly, and the same each time.
        spread = np.arange(len(found)) * 0.6180339887 % 1 - 0.5
        at = np.array([values.index(v) for v in found])
        return np.asarray(at + 0.4 * spread)

    labels = [printable(short(v)) for v in values]
    labels = [t if len(t) <= _LETTERS else f"{t[: _LETTERS - 3]}..." for t in labels]
    ticks = [float(i) for i in range(len(values))], labels
    if len(values) > 2 * _LABELS:
        every = math.ceil(len(values) / (2 * _LABELS))
        ticks = ticks[0][::every], ticks[1][::every]
    return Axis(places, (-0.6, len(values) - 0.4), ticks, ordered=False)
