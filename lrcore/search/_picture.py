"""The pictures of a search: values by one dimension, and Optuna's own."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lrcore._shared import pictures
from lrcore.search._trial import State, Trial, short
from lrcore.space._dimension import Dimension

if TYPE_CHECKING:
    import optuna
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def loss(trials: Sequence[Trial], space: Mapping[str, Dimension], mode: str) -> Figure:
    """Draw the values of ranked trials against the one dimension of a space."""
    ((name, dimension),) = space.items()
    scale = getattr(dimension, "scale", "linear")

    def points(state: State) -> tuple[list[float], list[float]]:
        found = [t for t in trials if t.state == state]
        x = [float(t.params[name]) for t in found]
        if scale == "complement":
            x = [1 - value for value in x]
        pairs = sorted(zip(x, (t.value for t in found), strict=True))
        return [x for x, _ in pairs], [y for _, y in pairs]

    figure = pictures.canvas(8, 4)
    axes = figure.subplots()
    finished, pruned = points("finished"), points("pruned")
    if finished[0]:
        axes.plot(*finished, "o-", color=pictures.BLUE, label="finished", markersize=5)
        at = finished[1].index(trials[0].value)
        axes.plot(
            finished[0][at], trials[0].value, "*", color=pictures.ORANGE, mec="black",
            markersize=14, label=f"best: {short(trials[0].params[name])}",
        )  # fmt: skip
    if pruned[0]:
        axes.plot(*pruned, "o", color="0.5", mfc="none", label="pruned")
    top = _scale_values(axes, trials, mode)
    every = [*zip(*finished, strict=True), *zip(*pruned, strict=True)]
    high = [x for x, y in every if y > top]
    for label, marker, x in (
        ("higher", "^", high),
        ("diverged", "x", points("diverged")[0]),
    ):
        if x:
            axes.plot(
                x, [0.97] * len(x), marker, label=label, color=pictures.VERMILION,
                transform=axes.get_xaxis_transform(),
            )  # fmt: skip
    if scale != "linear":
        axes.set_xscale("log")
    (label,) = dimension.keys(name) if scale == "complement" else (name,)
    axes.set_xlabel("learning rate" if label == "lr" else label)
    axes.set_ylabel("loss" if mode == "min" else "value")
    axes.legend(frameon=False)
    pictures.tidy(axes)
    return figure


def of_study(
    study: optuna.Study, kind: str, trials: Sequence[Trial], mode: str
) -> Figure:
    """Return one of Optuna's pictures, without pyplot's state."""
    from matplotlib import pyplot
    from optuna.visualization import matplotlib as drawn

    from lrcore.search._storage import quiet

    functions: dict[str, Callable[[optuna.Study], Any]] = {
        "slice": drawn.plot_slice,
        "contour": drawn.plot_contour,
        "parallel": drawn.plot_parallel_coordinate,
        "history": drawn.plot_optimization_history,
        "importance": drawn.plot_param_importances,
        "intermediate": drawn.plot_intermediate_values,
    }
    before = pyplot.get_fignums()
    try:
        with quiet(), pyplot.rc_context({"figure.constrained_layout.use": True}):
            # They warn of a range of one value, as of a choice that was never changed.
            warnings.simplefilter("ignore", UserWarning)
            axes = np.ravel(functions[kind](study))[0]
    finally:
        for number in set(pyplot.get_fignums()) - set(before):
            pyplot.close(number)
    figure: Figure = axes.figure
    legend = axes.get_legend()
    if kind == "intermediate" and legend and len(legend.get_texts()) > 12:
        legend.remove()  # it would take the picture's room
    if kind in ("slice", "history", "intermediate"):
        _scale_values(figure.axes[0], trials, mode)  # a slice's others share it
    return figure


def _scale_values(axes: Axes, trials: Sequence[Trial], mode: str) -> float:
    """Make a picture's axis of values fit for losses; return where it ends.

    Logarithmic where none is negative, and without those that are a thousand times
    as high as the median: they have diverged, if not to infinity.
    """
    values = sorted(t.value for t in trials if t.state != "diverged")
    if mode == "max" or not values or values[0] <= 0:
        return math.inf
    top = 1e3 * values[len(values) // 2]
    shown = [x for x in values if x <= top]
    if shown[-1] > 10 * shown[0]:
        axes.set_yscale("log")
    if shown[-1] == values[-1]:
        return math.inf
    room = (shown[-1] / shown[0]) ** 0.1 * 1.5
    axes.set_ylim(shown[0] / room, shown[-1] * room)
    return shown[-1]
