"""The picture of several runs: their losses over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from os import PathLike
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lrcore._shared import pictures
from lrcore._shared.domains import FINITE, iterates
from lrcore._shared.types import Array
from lrcore._shared.words import kind, named, shortened, shown
from lrcore.monitor._history import History
from lrcore.monitor._panels import scale, smoothed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A line has at most 1,024 points; more losses are averaged in blocks.
_BLOCKS = 1024
# The axis is logarithmic if the largest loss is at least 100 times the least.
_DECADES = 100.0
# A logarithmic axis ends at 3 times the largest first loss.
_ROOM = 3.0


def compare(
    runs: Mapping[Any, Any],
    path: str | PathLike[str] | None = None,
    title: str | None = None,
    *,
    reference: float | None = None,
    label: str = "loss",
) -> Figure:
    """Draw the losses of several runs over their steps, to compare optimizers or rates.

    A thick line is a run's smoothed loss (a running median), over its losses as a faint
    line.  The legend lists the runs by their final loss, the least first: the median of
    the last losses, over the window of the smoothed line.  A cross at the upper edge
    marks the first loss of a run that was not finite.  The axis is logarithmic if all
    losses are positive and the largest is 100 times the least.  It ends a little above
    the first losses, so that a run that diverges does not hide the others.

    Parameters
    ----------
    runs : mapping
        The losses of each run by its name: a sequence with the loss of each step, a
        `Monitor`, or its ``history``.  More than 1,024 losses are averaged in blocks.
    path : str or path, optional
        A .png, .pdf or .svg to write.
    title : str, optional
        Title of the picture.
    reference : float, optional
        A loss at which to draw a horizontal line, such as that of a baseline.
    label : str, default "loss"
        Label of the vertical axis.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError, ValueError
        There is no run, a run is no sequence of losses, `reference` is no finite
        number, or the path has none of these suffixes.
    ImportError
        matplotlib is missing.

    Examples
    --------
    >>> def train(opt, w):
    ...     losses = []
    ...     for step in range(200):
    ...         losses.append(0.5 * w @ w)
    ...         opt.step(w.copy())
    ...     return losses
    >>> runs = {}
    >>> for kind in (lrcore.SGD, lrcore.Adam):
    ...     w = np.ones(3)
    ...     runs[kind.__name__] = train(kind(w, lr=0.05), w)
    >>> figure = lrcore.plots.compare(runs, reference=1e-3)
    >>> [text.get_text().split(":")[0] for text in figure.legends[0].get_texts()]
    ['Adam', 'SGD', 'reference']
    """
    if not isinstance(runs, Mapping):
        raise TypeError(
            "runs: expected a mapping from names to losses, such as {'Adam': losses}, "
            f"found {kind(runs)}"
        )
    if not runs:
        raise ValueError("runs: expected at least one run, found none")
    curves = [_curve(name, run) for name, run in runs.items()]
    if reference is not None:
        reference = FINITE.check("reference", reference)
    pictures.check_path(path)
    pictures.require()
    last = max((curve.step[-1] for curve in curves if len(curve.step)), default=0)
    texts = "\n".join(curve.words(last) for curve in curves)
    widest = max(map(len, texts.splitlines()))
    figure = pictures.canvas(
        8 + 0.09 * max(widest - 24, 0), max(4.2, 0.24 * texts.count("\n") + 1.2)
    )
    axes = figure.subplots()
    entries: list[tuple[float, Any, str]] = []
    styles = zip(cycle(pictures.COLORS), cycle(pictures.DASHES), strict=False)
    for curve, (color, dashes) in zip(curves, styles, strict=False):
        line = _draw(axes, curve, color, dashes)
        entries.append((curve.final, line, curve.words(last)))
    entries.sort(key=lambda entry: (np.isnan(entry[0]), entry[0]))
    if reference is not None:
        line = axes.axhline(reference, color="0.4", linestyle="--", linewidth=1)
        entries.append((reference, line, f"reference: {reference:.3g}"))
    _limit(axes, curves, reference)
    axes.set(xlabel="step")
    axes.set_ylabel(shortened(label), parse_math=False)
    pictures.tidy(axes)
    pictures.step_ticks(axes)
    legend = figure.legend(
        [line for _, line, _ in entries], [text for *_, text in entries],
        loc="outside right upper", frameon=False, handlelength=3.0,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)
    if title:
        axes.set_title(pictures.title(title), parse_math=False)
    pictures.save(figure, path)
    return figure


class _Curve(NamedTuple):
    """The losses of a run: means of blocks of steps."""

    name: str
    step: Array  # the first of each block, from 1
    loss: Array
    line: Array  # smoothed
    final: float  # NaN if the last block has no finite loss

    def words(self, last: float) -> str:
        """Return the entry of the legend; `last`: the last block of the longest run."""
        if not len(self.step):
            return f"{self.name}: no step"
        final = f"{self.final:.3g}" if np.isfinite(self.final) else "not finite"
        end = "" if self.step[-1] == last else f", ends at {self.step[-1]:.0f}"
        return f"{self.name}: {final}{end}"


def _curve(name: Any, run: Any) -> _Curve:
    history = getattr(run, "history", run)
    if isinstance(history, History):
        step, loss = history.step, history.loss
    else:
        step, loss = _blocks(_losses(f"runs[{shown(name)}]", run))
    loss = pictures.drawable(loss)
    half = _half(loss)
    line = smoothed(loss, half) if half else loss
    return _Curve(fill(named(name), 40), step, loss, line, _final(loss))


def final_loss(losses: Sequence[float]) -> float:
    """Return the final loss of a run as the legend has it; NaN if it is not finite."""
    return _final(pictures.drawable(_blocks(np.asarray(losses, float))[1]))


def _final(loss: Array) -> float:
    """Return the median of the last blocks; NaN if the last one is not finite."""
    if len(loss) and np.isfinite(loss[-1]):
        return float(np.nanmedian(loss[-1 - _half(loss) :]))
    return float("nan")


def _half(loss: Array) -> int:
    """Return how many blocks the smoothed line looks at on each side."""
    return min(12, len(loss) // 20)


def _losses(name: str, run: Any) -> Array:
    """Return the losses of a run as an array."""
    try:
        listed = run if isinstance(run, np.ndarray) else list(run)
        if isinstance(run, (str, bytes, Mapping)) or not iterates(run):
            raise TypeError
        losses = np.array(listed, float)
    except Exception:  # whatever a user's own sequence raises
        losses = np.empty((0, 0))
    if losses.ndim != 1:
        raise TypeError(
            f"{name}: expected a sequence with the loss of each step, a Monitor or its "
            f"history, found {shown(run)}"
        )
    return losses


def _blocks(losses: Array) -> tuple[Array, Array]:
    """Return the first step of each block, and the mean of its finite losses."""
    size = -(-len(losses) // _BLOCKS) or 1
    starts = np.arange(0, len(losses), size)
    finite = np.isfinite(losses)
    if not len(losses):
        return losses, losses
    with np.errstate(all="ignore"):
        sums = np.add.reduceat(np.where(finite, losses, 0.0), starts)
        return starts + 1.0, sums / np.add.reduceat(finite.astype(float), starts)


def _draw(axes: Axes, curve: _Curve, color: str, dashes: Any) -> Any:
    """Draw a run; return its smoothed line."""
    if curve.line is not curve.loss:
        axes.plot(curve.step, curve.loss, color=color, alpha=0.25, linewidth=0.8)
    (line,) = axes.plot(
        curve.step, curve.line, color=color, linestyle=dashes, linewidth=1.8,
        marker="." if len(curve.step) <= 30 else None,
    )  # fmt: skip
    gone = curve.step[np.isnan(curve.loss)]
    if len(gone):
        axes.plot(
            gone[:1], [0.98], "x", color=color, transform=axes.get_xaxis_transform(),
            markersize=7, markeredgewidth=2, clip_on=False,
        )  # fmt: skip
    return line


def _limit(axes: Axes, curves: list[_Curve], reference: float | None) -> None:
    """Choose the axis of the losses, and end it a little above the first ones."""
    losses = np.concatenate([curve.loss for curve in curves])
    losses = losses[np.isfinite(losses)]
    firsts = [curve.loss[np.isfinite(curve.loss)][:1] for curve in curves]
    first = np.concatenate(firsts).max(initial=-np.inf)
    if not len(losses):
        return
    given = [] if reference is None else [reference]
    low, high = min(losses.min(), *given, np.inf), max(losses.max(), *given, -np.inf)
    if low > 0 and losses.max() >= _DECADES * losses.min():
        top = _ROOM * max(first, *given, -np.inf)
        if high > 2 * top:
            axes.set_ylim(low / 1.5, top)
        scale(axes, np.append(losses, given))
    else:
        room = 0.3 * (first - low)
        top = max(first, *given, -np.inf) + room
        if room > 0 and high > top + 2 * room:
            axes.set_ylim(low - 0.2 * room, top)
