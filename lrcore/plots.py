r"""Pictures of schedules, runs and optimizers' paths: the extra `plot`, matplotlib.

Each function returns a `matplotlib.figure.Figure`, which notebooks show, and writes it
into a .png, .pdf or .svg where a path is given.  Colours are those that colour-blind
readers tell apart.  Without matplotlib each raises ImportError with what to install.

Examples
--------
>>> from lrcore.schedules import Constant, Cosine
>>> figure = lrcore.plots.schedules(
...     {"cosine": Cosine(0.1, total=100).warmup(10), "constant": Constant(0.05)},
...     steps=120,
... )
>>> figure.axes[0].get_ylabel()
'learning rate'
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from os import PathLike
from textwrap import fill, shorten
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lrcore import _plot
from lrcore._shared.domains import real, whole
from lrcore._typing import Array
from lrcore._words import shown
from lrcore.optimizers.sgd import SGD
from lrcore.schedules import Schedule

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lrcore._suggest import RangeTest
    from lrcore.monitor import Finding, History

__all__ = ["dashboard", "range_test", "ravine", "ravine_grad", "schedules", "surface"]

Path = str | PathLike[str]

_POINTS = 4000  # of a line: more than a picture has pixels


def schedules(
    schedules: Callable[[Any], Any] | Mapping[str, Callable[[Any], Any]],
    steps: int,
    path: Path | None = None,
    title: str | None = None,
    *,
    log: bool = False,
    label: str = "learning rate",
) -> Figure:
    """Draw a schedule, or several beside each other, over the steps.

    Parameters
    ----------
    schedules : callable, or mapping of callables by name
        Functions of the number of steps taken before: those of `lrcore.schedules`, or
        any other, which are called with one int at a time.
    steps : int
        How many steps are drawn, from 0.  Of more than 4,000 as many are picked evenly.
    path : str or path, optional
        A .png, .pdf or .svg to write.
    title : str, optional
        Default: the schedule itself where there is one, none where there are several.
    log : bool, default False
        A logarithmic axis of the values.
    label : str, default "learning rate"
        What the values are: a schedule may drive a momentum or a weight decay too.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError, ValueError
        A schedule cannot be called, there is none, `steps` is no int >= 1, or the path
        has another suffix.
    ImportError
        matplotlib is missing.

    Examples
    --------
    >>> from lrcore.schedules import StepDecay
    >>> figure = schedules(StepDecay(0.1, gamma=0.5, every=10), steps=40)
    >>> [int(x) for x in figure.axes[0].lines[0].get_xdata()[:3]]
    [0, 1, 2]
    """
    several = isinstance(schedules, Mapping)
    named = dict(schedules) if isinstance(schedules, Mapping) else {"": schedules}
    if not named:
        raise ValueError("schedules: expected at least one, found none")
    for name, schedule in named.items():
        if not callable(schedule):
            where = f"schedules[{shown(name)}]" if several else "schedules"
            raise TypeError(
                f"{where}: expected a schedule or a function of the step, "
                f"found {shown(schedule)}"
            )
    whole("steps", steps, "an int >= 1", least=1)
    _plot.check_path(path)
    _plot.require()
    from lrcore._figure import Picture

    t = np.unique(np.linspace(0, steps - 1, min(steps, _POINTS)).astype(np.int64))
    widest = max(len(str(name)) for name in named) + 8
    columns = _columns(len(named), most=max(1, min(4, 90 // widest)))
    height = 4 + 0.22 * (math.ceil(len(named) / columns) - 1)
    figure = Picture(figsize=(8, height), layout="constrained")
    axes = figure.subplots()
    styles = zip(cycle(_plot.COLORS), cycle(_plot.DASHES), strict=False)
    lines: list[Any] = []
    for schedule, (color, dashes) in zip(named.values(), styles, strict=False):
        style = (
            {"color": color, "linestyle": dashes} if several else {"color": _plot.BLUE}
        )
        style |= {"marker": "."} if steps <= 30 else {}
        lines += axes.plot(t, _values(schedule, t), linewidth=2, **style)
    if log:
        axes.set_yscale("log")
    axes.set(xlabel="step", ylabel=label)
    _plot.tidy(axes)
    _plot.step_ticks(axes)
    if several:
        legend = figure.legend(
            lines, named, loc="outside lower center", frameon=False, handlelength=3.5,
            ncols=columns,
        )  # fmt: skip
        for text in legend.get_texts():
            text.set_parse_math(False)
    if title is None and not several:
        title = shorten(repr(schedules), 160, placeholder=" ...")
    if title:
        size = 12 if len(title) < 60 else 10
        axes.set_title(fill(title, 80), fontsize=size, parse_math=False)
    _plot.save(figure, path)
    return figure


def _columns(number: int, most: int) -> int:
    """Return in how many columns the fewest rows are filled evenly."""
    rows = math.ceil(number / most)
    return math.ceil(number / rows)


def _values(schedule: Callable[[Any], Any], t: Array) -> Array:
    if isinstance(schedule, Schedule):
        return schedule(t)
    return np.array([float(schedule(int(step))) for step in t])


def dashboard(
    history: History,
    findings: Sequence[Finding] = (),
    path: Path | None = None,
    title: str | None = None,
) -> Figure:
    """Draw a run: its loss and what else was recorded, with the findings marked.

    The loss is drawn raw (a line, and a band from the least to the largest of each
    block of steps), smoothed (a running median of 25 blocks), and on the validation
    set, on a logarithmic axis unless some are negative; crosses at the upper edge stand
    where it was not finite.  Below are the learning rate, the gradient norm and the
    ratio of an update's norm to that of the weights, as far as there are values.
    Numbered lines mark the findings, bands since when they hold; the text below says
    what they are.

    Parameters
    ----------
    history : lrcore.monitor.History
        Of a monitor, or made of your own arrays.
    findings : sequence of lrcore.monitor.Finding
        Of more than 12 the least severe are left out.
    path : str or path, optional
        A .png, .pdf or .svg to write.
    title : str, optional
        What stands over all.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        The path has another suffix.
    ImportError
        matplotlib is missing.
    """
    _plot.check_path(path)
    _plot.require()
    from lrcore._figure import Picture

    chosen = _plot.worst(findings)
    lines = [
        fill(f"{k}  {finding}", 118, subsequent_indent="    ")
        for k, finding in chosen.items()
    ]
    if len(chosen) < len(findings):
        lines.append(f"and {len(findings) - len(chosen)} more")
    text = "\n".join(lines)

    panels = _plot.panels(history)
    heights = [2.9] + [1.35] * (len(panels) - 1)
    below = 0.2 * (text.count("\n") + 2) if text else 0.0
    figure = Picture(figsize=(8, sum(heights) + 0.8 + below), layout="constrained")
    all_axes = figure.subplots(
        len(panels), sharex=True, height_ratios=heights, squeeze=False
    )[:, 0]
    for axes, (name, draw) in zip(all_axes, panels.items(), strict=True):
        _plot.draw_panel(axes, name, draw, history)
    for axes in all_axes:
        _plot.mark_findings(axes, chosen, numbers=axes is all_axes[0])
    all_axes[-1].set_xlabel("step")
    figure.align_ylabels()
    if title:
        figure.suptitle(title, parse_math=False)
    if text:
        figure.supxlabel(text, x=0.02, ha="left", fontsize=9, parse_math=False)
    _plot.save(figure, path)
    return figure


def range_test(
    test: RangeTest, path: Path | None = None, title: str | None = None
) -> Figure:
    """Draw a range test: the loss over the rate, what the rules say, and the trials.

    The curve is drawn raw (dots) and smoothed; dashed lines mark each rule's rate, the
    solid one the suggestion; circles are the trials' losses at their ends, and crosses
    at the upper edge where a trial or the sweep diverged.  The losses' axis leaves out
    what is far above the first.

    Parameters
    ----------
    test : lrcore.RangeTest
        Of `lrcore.lr_find` or `lrcore.LRSweep`.
    path : str or path, optional
        A .png, .pdf or .svg to write.
    title : str, optional
        What stands over all.  Default: the suggestion, and what it rests on.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        The path has another suffix.
    ImportError
        matplotlib is missing.

    Examples
    --------
    >>> w = np.ones(2)
    >>> found = lrcore.lr_find(lrcore.SGD(w), lambda _: (w @ w, 2 * w), [0])
    >>> range_test(found).axes[0].get_xscale()
    'log'
    """
    _plot.check_path(path)
    _plot.require()
    from lrcore._figure import Picture

    figure = Picture(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots()
    _plot.draw_range_test(axes, test)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", frameon=False, handlelength=3.0,
        ncols=4,
    )  # fmt: skip
    if title is None:
        found = f"lr {test.suggestion:.2g}: " if np.isfinite(test.suggestion) else ""
        title = f"{found}{test.reason}"
    axes.set_title(fill(title, 90), fontsize=11)
    _plot.save(figure, path)
    return figure


# --- paths over a surface -------------------------------------------------------------


def ravine(w: Array) -> float:
    """``(x^2 + 10 y^2) / 2``: a valley 10 times as steep across as along.

    Examples
    --------
    >>> ravine(np.array([2.0, 1.0]))
    7.0
    """
    x, y = w
    return float(x**2 + 10 * y**2) / 2


def ravine_grad(w: Array) -> Array:
    """Return the gradient of `ravine`, ``(x, 10 y)``."""
    return w * (1.0, 10.0)


class _Steps(Protocol):
    def step(self, grads: Any, /) -> Any: ...


Bounds = tuple[tuple[float, float], tuple[float, float]]


def surface(
    loss: Callable[[Array], float] = ravine,
    grad: Callable[[Array], Array] = ravine_grad,
    start: Sequence[float] = (-2.0, 0.8),
    opt: Callable[..., _Steps] = SGD,
    lrs: Sequence[float] | Mapping[str, float] | None = None,
    steps: int = 25,
    bounds: Bounds = ((-2.5, 1.0), (-1.25, 1.25)),
    path: Path | None = None,
    title: str | None = None,
) -> Figure:
    """Draw an optimizer's path over a loss of two parameters, for each learning rate.

    By itself, ``surface()`` draws gradient descent in a `ravine`, whose steps across
    grow from ``lr = 2 / 10`` on.  Contours are spaced logarithmically above the least
    loss of the picture.

    Parameters
    ----------
    loss : callable, default `ravine`
        Of an array of two, a float.
    grad : callable, default `ravine_grad`
        Its gradient, an array of two.
    start : two floats
        Where the path begins.
    opt : callable, default `lrcore.SGD`
        Called with the params and ``lr=``: returns what has ``step(grads)``, which
        updates the params in place.
    lrs : sequence of floats, or mapping of floats by a word, optional
        The learning rates.  Default: one too small, one right and one too large for the
        default surface and optimizer.
    steps : int, default 25
        How many are taken; fewer if a parameter or its gradient is not finite.
    bounds : two pairs of floats
        The picture's, of both parameters.
    path : str or path, optional
        A .png, .pdf or .svg to write.
    title : str, optional
        What stands over all.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError, ValueError
        `start` is not two finite numbers, `bounds` not two rising pairs, there is no
        learning rate, `steps` is no int >= 1, or the path has another suffix.
    ImportError
        matplotlib is missing.

    Examples
    --------
    >>> figure = surface(opt=lrcore.Adam, lrs=[0.01, 0.3], steps=60)
    >>> [axes.get_title().splitlines()[0] for axes in figure.axes]
    ['lr 0.01', 'lr 0.3']
    """
    if lrs is None:
        lrs = {"too small": 0.01, "right": 0.18, "too large": 0.205}
    if isinstance(lrs, Mapping):
        named = [(f"{name}: ", lr) for name, lr in lrs.items()]
    else:
        named = [("", lr) for lr in lrs]
    panels = [(f"{name}lr {real('lrs', lr, 'numbers'):g}", lr) for name, lr in named]
    if not panels:
        raise ValueError("lrs: expected at least one learning rate, found none")
    begin = _pair("start", start)
    (left, right), (bottom, top) = box = [_pair("bounds", pair) for pair in bounds]
    if not (left < right and bottom < top):
        raise ValueError(f"bounds: expected two rising pairs, found {shown(bounds)}")
    whole("steps", steps, "an int >= 1", least=1)
    _plot.check_path(path)
    _plot.require()
    from lrcore._figure import Picture

    columns = _columns(len(panels), most=3)
    rows = math.ceil(len(panels) / columns)
    figure = Picture(figsize=(2.9 * columns + 0.5, 3.4 * rows), layout="constrained")
    all_axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    grid = [np.linspace(*side, 121) for side in box]
    with np.errstate(all="ignore"):
        heights = np.array([[loss(np.array([x, y])) for x in grid[0]] for y in grid[1]])
    for axes, (name, lr) in zip(all_axes.flat, panels, strict=False):
        _draw_contours(axes, grid, heights)
        walked = _walk(grad, begin, opt, lr, steps)
        inside = _draw_path(axes, walked, np.array(box))
        with np.errstate(all="ignore"):
            last = loss(walked[-1])
        note = f"loss {last:.2g} after {len(walked) - 1} steps"
        if not inside.all():
            note += f"\nleaves the picture in step {int(np.argmin(inside))}"
        axes.set_title(name, fontsize=11, parse_math=False)
        axes.set(xlim=box[0], ylim=box[1], xlabel=f"w[0]\n{note}")
        axes.tick_params(labelbottom=True)
    for axes in all_axes.flat[len(lrs) :]:
        axes.remove()
    for axes in all_axes[:, 0]:
        axes.set_ylabel("w[1]")
    if title:
        figure.suptitle(title, parse_math=False)
    _plot.save(figure, path)
    return figure


def _pair(name: str, value: Any) -> tuple[float, float]:
    try:
        a, b = value
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected two numbers, found {shown(value)}") from None
    pair = real(name, a, "two numbers"), real(name, b, "two numbers")
    if not all(map(math.isfinite, pair)):
        raise ValueError(f"{name}: expected two finite numbers, found {shown(value)}")
    return pair


def _walk(
    grad: Callable[[Array], Array],
    begin: tuple[float, float],
    opt: Callable[..., _Steps],
    lr: float,
    steps: int,
) -> Array:
    """Return the points of a path, the first included."""
    w = np.array(begin)
    optimizer = opt(w, lr=lr)
    points = [w.copy()]
    for _ in range(steps):
        with np.errstate(all="ignore"):
            g = np.asarray(grad(w), np.float64)
        if not np.isfinite(g).all():
            break
        optimizer.step(g)
        if not np.isfinite(w).all():
            break
        points.append(w.copy())
    return np.array(points)


def _draw_contours(axes: Axes, grid: list[Array], heights: Array) -> None:
    """Draw levels that are as far apart as their logarithms, above the least."""
    over = np.ma.masked_invalid(heights - np.nanmin(heights[np.isfinite(heights)]))
    if over.max() > 0:
        levels = np.geomspace(over.max() * 1e-4, over.max(), 13)
        shades = np.linspace(0.05, 0.5, 14)
        axes.contourf(*grid, over, levels, colors=_blues(shades), extend="both")
        axes.contour(*grid, over, levels, colors="white", linewidths=0.6)


def _blues(shades: Array) -> Array:
    from matplotlib import colormaps

    colors: Array = colormaps["Blues"](shades)
    return colors


def _draw_path(axes: Axes, walked: Array, box: Array) -> Array:
    """Draw the path as far as it is in the box; return which points are."""
    inside: Array = np.all((walked >= box[:, 0]) & (walked <= box[:, 1]), axis=1)
    far = 10 * (box[:, 1] - box[:, 0])  # to where an axis can still be drawn
    x, y = np.clip(walked, box[:, 0] - far, box[:, 1] + far).T
    axes.plot(x, y, ".-", color=_plot.VERMILION, linewidth=1.3, markersize=4)
    axes.plot(x[0], y[0], "o", color="white", mec="black", markersize=8)
    if inside[-1]:
        axes.plot(x[-1], y[-1], "*", color=_plot.ORANGE, mec="black", markersize=13)
    return inside
