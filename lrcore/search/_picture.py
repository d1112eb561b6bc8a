"""The pictures of a search: the value by each parameter, and Optuna's own."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from lrcore._shared import pictures
from lrcore._shared.types import Array
from lrcore._shared.words import shortened
from lrcore.search._axis import Axis, axis_of
from lrcore.search._trial import State, Trial, short
from lrcore.space._choices import Tuple
from lrcore.space._dimension import Dimension

if TYPE_CHECKING:
    import optuna
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANELS = 4  # side by side
_TENTH = 10  # the best tenth of the finished trials is marked
_EDGE = {"min": 0.97, "max": 0.03}  # height of trials that have no place on the axis

Panel = tuple[str, Axis, Callable[[Trial], Any]]
"""A parameter's name, its axis, and how to get its value from a trial."""


def loss(trials: Sequence[Trial], space: Mapping[str, Dimension], mode: str) -> Figure:
    """Draw the values of ranked trials against each parameter, a panel each."""
    panels = list(_panels(space))
    columns = pictures.columns(len(panels), _PANELS)
    rows = math.ceil(len(panels) / columns)
    alone = len(panels) == 1
    size = (8.0, 4.0) if alone else (max(3.2 * columns, 8.0), 3.0 * rows + 0.6)
    figure = pictures.canvas(*size)
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    top = _scale_values(grid[0, 0], trials, mode)
    drawn: dict[str, Any] = {}
    for axes, (name, axis, value_of) in zip(grid.flat, panels, strict=False):
        axis.set_up(axes)
        label = "learning rate" if name == "lr" else fill(shortened(name), 40)
        axes.set_xlabel(label, parse_math=False)
        x = axis.places([value_of(trial) for trial in trials])
        drawn |= _draw(axes, trials, x, mode, top, axis.ordered, alone)
        if trials[0].state == "finished":
            best = fill(shortened(f"best: {short(value_of(trials[0]))}"), 40)
            axes.set_title(best, fontsize="medium", parse_math=False)
        pictures.tidy(axes)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("loss" if mode == "min" else "value")
    figure.legend(
        drawn.values(), drawn, loc="outside lower center", frameon=False,
        ncols=len(drawn) if columns > 2 else 3,
    )  # fmt: skip
    return figure


def _panels(space: Mapping[str, Dimension]) -> Iterator[Panel]:
    """Yield the panels of a space; a tuple has one for each of its elements."""

    def of(
        name: str, dimension: Dimension, get: Callable[[Trial], Any]
    ) -> Iterator[Panel]:
        if not isinstance(dimension, Tuple):
            yield name, axis_of(dimension), get
            return
        for i, part in enumerate(dimension.parts):
            yield from of(f"{name}[{i}]", part, partial(_element, get, i))

    for name, dimension in space.items():
        yield from of(name, dimension, partial(_param, name))


def _param(name: str, trial: Trial) -> Any:
    return trial.params[name]


def _element(get: Callable[[Trial], Any], i: int, trial: Trial) -> Any:
    return get(trial)[i]


def _draw(
    axes: Axes, trials: Sequence[Trial], x: Array, mode: str, top: float,
    ordered: bool, alone: bool,
) -> dict[str, Any]:  # fmt: skip
    """Draw a panel; return the entries of the legend, with numbers of trials.

    ordered, alone : whether the parameter is a number, and the only one of the space.
    """
    y = np.array([trial.value for trial in trials])
    entries: dict[str, Any] = {}

    def those(state: State) -> Array:
        return np.array([t.state == state for t in trials], dtype=bool)

    def add(what: str, at: Array, marker: str, color: str, **style: Any) -> None:
        if at.any():
            order = np.flatnonzero(at)
            order = order[np.argsort(x[order], kind="stable")]
            style = {"linestyle": "none", "color": color, "markersize": 5, **style}
            (line,) = axes.plot(x[order], y[order], marker, **style)
            entries[f"{what} ({at.sum()})"] = line
            line.set_label(f"{what} ({at.sum()})")

    finished, pruned = those("finished"), those("pruned")
    placed = np.isfinite(y)
    few = math.ceil(finished.sum() / _TENTH)
    best = finished & (np.arange(len(trials)) < few)  # the trials are ranked
    on_axis = {"linestyle": "-"} if ordered and alone else {}
    add("finished", finished, "o", pictures.BLUE, **on_axis)
    add("pruned", pruned & placed, "o", "0.5", mfc="none")
    if few > 1:
        add("the best tenth", best, "o", pictures.ORANGE, markersize=6)
        if ordered:
            ends = x[best].min(), x[best].max()
            axes.axvspan(*ends, color=pictures.ORANGE, alpha=0.15)
    if finished.any():
        (star,) = axes.plot(
            x[0], y[0], "*", color=pictures.ORANGE, mec="black", markersize=14, zorder=5
        )
        value = "loss" if mode == "min" else "value"
        best_is = f"best: trial {trials[0].number}, {value} {short(trials[0].value)}"
        entries[best_is] = star
        star.set_label(best_is)
    # At the edge: trials that have no place on the axis of values.
    high = placed & (y > top) & (finished | pruned)
    y = np.full(len(trials), _EDGE[mode])
    edge = {"transform": axes.get_xaxis_transform(), "clip_on": False}
    add("higher", high, "^", pictures.VERMILION, **edge)
    add("pruned, no value", pruned & ~placed, "o", "0.5", mfc="none", **edge)
    add("diverged", those("diverged"), "x", pictures.VERMILION, **edge)
    add("failed", those("failed"), "P", pictures.PURPLE, **edge)
    return entries


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
            # Optuna warns if a parameter has had one value only.
            warnings.simplefilter("ignore", UserWarning)
            axes = np.ravel(functions[kind](study))[0]
    finally:
        for number in set(pyplot.get_fignums()) - set(before):
            pyplot.close(number)
    figure: Figure = axes.figure
    _plain(figure)
    legend = axes.get_legend()
    if kind == "intermediate" and legend and len(legend.get_texts()) > 12:
        legend.remove()  # it would cover the picture
    if kind in ("slice", "history", "intermediate"):
        # The other panels of a slice share this axis.
        _scale_values(figure.axes[0], trials, mode)
    return figure


def _plain(figure: Figure) -> None:
    """Show the names in Optuna's picture as text: not as formulas, and short."""
    for axes in figure.axes:
        legend = axes.get_legend()
        texts = [axes.title, axes.xaxis.label, axes.yaxis.label]
        for text in [*texts, *(legend.get_texts() if legend else ())]:
            text.set_parse_math(False)
            text.set_text(pictures.title(text.get_text()))


def _scale_values(axes: Axes, trials: Sequence[Trial], mode: str) -> float:
    """Set the axis of values for losses; return the highest value on it.

    Positive losses get a logarithmic axis.  It leaves out losses beyond 1,000 times the
    median: those runs have diverged, though not to infinity.
    """
    values = sorted(t.value for t in trials if math.isfinite(t.value))
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
