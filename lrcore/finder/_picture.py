"""The picture of a range test."""

from __future__ import annotations

from os import PathLike
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from lrcore._shared import pictures
from lrcore._shared.pictures import (
    BLACK,
    BLUE,
    DASHES,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    canvas,
    check_path,
    drawable,
    mark_nonfinite,
    require,
    save,
    tidy,
)
from lrcore.finder._levels import loss_range
from lrcore.finder._outcome import Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def range_test(
    test: Outcome, path: str | PathLike[str] | None = None, title: str | None = None
) -> Figure:
    """Draw a range test: the loss over the rate, the rules' rates, and the trials.

    Dots are the losses of the sweep, the blue line their average.  Dashed lines mark
    the rate of each rule, the solid line the suggestion.  Circles are the losses at the
    ends of the trials; crosses at the upper edge mark rates at which a trial or the
    sweep diverged.  The axis of the losses ends a little above the first loss.

    Parameters
    ----------
    test : lrcore.RangeTest
        The result of `lrcore.lr_find` or `lrcore.LRSweep`.
    path : str or path, optional
        A .png, .pdf or .svg to write.
    title : str, optional
        Title of the picture.  Default: the suggestion, its confidence and its reason.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        The path has none of these suffixes.
    ImportError
        matplotlib is missing.

    Examples
    --------
    >>> w = np.ones(2)
    >>> found = lrcore.lr_find(lrcore.SGD(w), lambda _: (w @ w, 2 * w), [0])
    >>> range_test(found).axes[0].get_xscale()
    'log'
    """
    check_path(path)
    require()
    figure = canvas(8, 4.6)
    axes = figure.subplots()
    _draw(axes, test)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", frameon=False, handlelength=3.0,
        ncols=4,
    )  # fmt: skip
    if title is None:
        found = "no suggestion"
        if np.isfinite(test.suggestion):
            found = f"lr {test.suggestion:.2g}, confidence {test.confidence:.2f}"
        lines = f"{found}\n{fill(test.reason, 90)}"
    else:
        lines = pictures.title(title)
    axes.set_title(lines, fontsize=11, parse_math=False)
    save(figure, path)
    return figure


def _draw(axes: Axes, test: Outcome) -> None:
    """Draw the curve, the rates suggested and the trials."""
    if not np.isfinite(test.losses).any():
        why = "no finite loss" if len(test.losses) else "no step yet"
        axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center")
        axes.set(xticks=[], yticks=[])
        return
    losses, smoothed, trials = (
        drawable(x) for x in (test.losses, test.smoothed, test.trial_losses)
    )
    axes.set_xscale("log")
    axes.plot(test.lrs, losses, ".", color="0.6", markersize=4, label="loss")
    axes.plot(test.lrs, smoothed, color=BLUE, linewidth=2, label="smoothed")
    if len(trials):
        axes.plot(
            test.trial_lrs, trials, "o-", color=GREEN, linewidth=1, markersize=5,
            label="trials, at their ends",
        )  # fmt: skip
    styles = zip(
        (ORANGE, PURPLE, SKY, BLACK),
        DASHES[1:],
        strict=True,
    )
    for (name, lr), (color, dashes) in zip(
        test.suggestions.items(), styles, strict=False
    ):
        axes.axvline(lr, color=color, linestyle=dashes, linewidth=1.2, label=name)
    if np.isfinite(test.suggestion):
        axes.axvline(
            test.suggestion,
            color=VERMILION,
            linewidth=2,
            label="suggestion",
            zorder=1.5,
        )
    kept, others = losses[np.isfinite(losses)], trials[np.isfinite(trials)]
    low, high = loss_range(kept, others) if len(kept) else (0.0, 0.0)
    if high > low:
        margin = 0.05 * (high - low)
        axes.set_ylim(low - margin, high + margin)
    finite = np.flatnonzero(np.isfinite(losses))
    ended = 1 + int(finite[-1]) if len(finite) else 0  # single ones do not count
    gone = [test.lrs[ended:], test.trial_lrs[np.isnan(trials)]]
    mark_nonfinite(axes, np.concatenate(gone), "diverged")
    axes.set(xlabel="learning rate", ylabel="loss")
    tidy(axes)
