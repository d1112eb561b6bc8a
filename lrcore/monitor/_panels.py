"""Pictures, by matplotlib: the extra `plot`.

What is drawn of a run: the panels and the marks that `lrcore.plots.dashboard` and the
monitor's page have in common; and the bench's picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.finder._suggest import loss_range

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lrcore.finder._suggest import RangeTest
    from lrcore.monitor._monitor import Finding, History

# Okabe and Ito's colours, which colour-blind readers tell apart; a marker and a dash
# pattern of its own for each line beside them.
BLACK, ORANGE, SKY, GREEN, VERMILION, BLUE, PURPLE = COLORS = (
    "#000000", "#e69f00", "#56b4e9", "#009e73", "#d55e00", "#0072b2", "#cc79a7",
)  # fmt: skip
DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
_MARKERS = "osD^vP*X<>ph"

DPI = 150  # of a file; 8 inches are 1,200 pixels, which a README shows as 800 to 900
SUFFIXES = (".png", ".pdf", ".svg")


# --- a run's panels -------------------------------------------------------------------

Panel = Callable[["Axes", "History"], None]
"""Draws one quantity of a run over its steps."""

# Beyond them a logarithmic axis has no room for its margins and ticks.
_LARGEST, _LEAST = 1e100, 1e-100


def panels(history: History) -> dict[str, Panel]:
    """Return the panels that the history has values for, by the quantity's name."""
    rest = {
        "learning rate": (_draw_rate, history.lr),
        "gradient norm": (_draw_grad_norm, history.grad_norm),
        "update / weight": (_draw_update_ratio, history.update_ratio),
    }
    given = {name: draw for name, (draw, x) in rest.items() if not np.isnan(x).all()}
    return {"loss": _draw_loss, **given}


def draw_panel(axes: Axes, name: str, draw: Panel, history: History) -> None:
    """Draw a panel with its label, grid and ticks."""
    if len(history.step):
        draw(axes, history)
    else:
        axes.text(0.5, 0.5, "no step yet", transform=axes.transAxes, ha="center")
        axes.set(xticks=[], yticks=[])
    axes.set_ylabel(name)
    tidy(axes)
    if len(history.step):
        step_ticks(axes)


def worst(findings: Sequence[Finding], most: int = 12) -> dict[int, Finding]:
    """Return the most severe by their numbers, which count all of them from 1."""
    rank = list(_SEVERITIES)[::-1]
    order = sorted(
        enumerate(findings, 1), key=lambda item: rank.index(item[1].severity)
    )
    return dict(sorted(order[:most]))


def mark_findings(axes: Axes, findings: Mapping[int, Finding], numbers: bool) -> None:
    """Draw a line where each finding was made, and a band since when it was so.

    What is healthy has no mark.  With numbers, those of the findings stand over the
    lines; lines too close to each other for that share one place.
    """
    left, right = axes.get_xlim()
    groups: list[tuple[float, list[int], str]] = []
    marked = [(f.step, k, f) for k, f in findings.items() if f.kind != "healthy"]
    for step, k, finding in sorted(marked, key=lambda mark: mark[:2]):
        color, dashes = _SEVERITIES[finding.severity]
        axes.axvline(step, color=color, linestyle=dashes, linewidth=1.2, zorder=1.5)
        if finding.since < step:
            axes.axvspan(finding.since, step, color=color, alpha=0.1, linewidth=0)
        if groups and (step - groups[-1][0]) < 0.04 * (right - left):
            groups[-1][1].append(k)
        else:
            groups.append((step, [k], color))
    for at, ks, color in groups if numbers else ():
        axes.annotate(
            ",".join(map(str, ks)) if len(ks) <= 3 else f"{ks[0]}...{ks[-1]}",
            (at, 1.0), (0, 5), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha="center", va="bottom", color="white",
            fontsize=8, fontweight="bold",
            bbox={"boxstyle": "round,pad=0.25", "color": color, "linewidth": 0},
        )  # fmt: skip


_SEVERITIES = {
    "info": (BLUE, ":"),
    "warning": ("#b87700", "--"),  # the orange, darker: it is behind white numbers
    "error": (VERMILION, "-"),
}


def _draw_loss(axes: Axes, history: History) -> None:
    step, loss, low, high = (
        _shown(x) for x in (history.step, history.loss, history.low, history.high)
    )
    validation = _shown(history.validation)
    axes.fill_between(step, low, high, color="0.6", alpha=0.35, linewidth=0)
    marker = "." if len(step) <= 30 else None
    axes.plot(step, loss, color="0.55", linewidth=0.8, marker=marker, label="raw")
    half = min(12, len(step) // 20)
    if half:
        axes.plot(step, smoothed(loss, half), color=BLUE, linewidth=2, label="smoothed")
    at = np.isfinite(validation)
    if at.any():
        axes.plot(
            step[at], validation[at], color=VERMILION, linestyle="--", markersize=4,
            marker="o" if at.sum() <= 60 else None, label="validation",
        )  # fmt: skip
    _scale(axes, loss, low, high, validation, dense=1e3)
    bad = (history.nonfinite > 0) | np.isinf(history.validation)
    _mark_nonfinite(axes, step[bad])
    axes.legend(frameon=False, ncols=2)


def _draw_rate(axes: Axes, history: History) -> None:
    lr = _shown(history.lr)
    axes.plot(history.step, lr, **_line(lr, GREEN))
    # A range test's rates are spread over decades, those of a decay are near its top.
    if np.nanmin(lr) > 0 and np.nanmedian(lr) < np.nanmax(lr) / 50:
        _scale(axes, lr)
    elif np.nanmin(lr) >= 0:
        axes.set_ylim(bottom=0)


def _draw_grad_norm(axes: Axes, history: History) -> None:
    norm = _shown(history.grad_norm)
    axes.plot(history.step, norm, **_line(norm, PURPLE))
    _scale(axes, norm)
    _mark_nonfinite(axes, history.step[history.nonfinite_grads > 0])


def _draw_update_ratio(axes: Axes, history: History) -> None:
    ratio = _shown(history.update_ratio)
    axes.plot(history.step, ratio, **_line(ratio, SKY))
    axes.axhline(1e-3, color="0.5", linestyle="--", linewidth=1)
    axes.annotate(
        "1e-3, usual", (1, 1e-3), (0, 2), xycoords=("axes fraction", "data"),
        textcoords="offset points", ha="right", va="bottom", color="0.5", fontsize=9,
    )  # fmt: skip
    _scale(axes, ratio)


def _line(values: Array, color: str) -> dict[str, Any]:
    marker = "." if len(values) <= 30 else None
    return {"color": color, "linewidth": 1.2, "marker": marker}


def _shown(values: Array) -> Array:
    """Return the values that can be drawn: 0 for the tiniest, NaN for the huge."""
    size = np.abs(values)
    return np.where(size < _LARGEST, np.where(size < _LEAST, 0.0, values), np.nan)


def _mark_nonfinite(axes: Axes, steps: Array, label: str = "not finite") -> None:
    if len(steps):
        axes.plot(
            steps, np.full(len(steps), 0.97), "x", transform=axes.get_xaxis_transform(),
            color=VERMILION, markersize=6, markeredgewidth=1.5, label=label,
        )  # fmt: skip


def _scale(axes: Axes, *values: Array, dense: float = 1e2) -> None:
    """Make the y axis logarithmic if no value is negative and some are positive.

    Its labels are 1, 2, 5, 10 and so on where it spans less than a factor of `dense`.
    """
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    x = np.concatenate(values)
    x = x[np.isfinite(x)]
    if (x < 0).any() or not (x > 0).any():
        return
    axes.set_yscale("log", nonpositive="clip")
    low, high = axes.get_ylim()
    subs = (1, 2, 5) if high < dense * low else (1,)
    axes.yaxis.set_major_locator(LogLocator(subs=subs))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def smoothed(values: Array, half: int = 12) -> Array:
    """Median over a window centred on each value, shorter at the ends.

    A median, as one loss of 1e30 would lift a mean for the whole window.  Values that
    are not finite are left out, and have none themselves.
    """
    x = np.where(np.isfinite(values), values, np.nan)
    padded = np.pad(x, half, constant_values=np.nan)
    window = np.sort(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1))
    count = np.isfinite(window).sum(axis=1)  # NaN are sorted last
    rows, least = np.arange(len(x)), np.maximum(count - 1, 0) // 2
    median = (window[rows, least] + window[rows, count // 2]) / 2
    return np.where(np.isnan(x), np.nan, median)


# --- a range test ---------------------------------------------------------------------


def draw_range_test(axes: Axes, test: RangeTest) -> None:
    """Draw the curve, the rates suggested and the trials."""
    if not np.isfinite(test.losses).any():
        why = "no finite loss" if len(test.losses) else "no step yet"
        axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center")
        axes.set(xticks=[], yticks=[])
        return
    losses, smoothed, trials = (
        _shown(x) for x in (test.losses, test.smoothed, test.trial_losses)
    )
    axes.set_xscale("log")
    axes.plot(test.lrs, losses, ".", color="0.6", markersize=4, label="loss")
    axes.plot(test.lrs, smoothed, color=BLUE, linewidth=2, label="smoothed")
    if len(trials):
        axes.plot(
            test.trial_lrs, trials, "o-", color=GREEN, linewidth=1, markersize=5,
            label="trials, at their ends",
        )  # fmt: skip
    styles = zip((ORANGE, PURPLE, SKY, BLACK), DASHES[1:], strict=True)
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
    gone = [test.lrs[np.isnan(losses)], test.trial_lrs[np.isnan(trials)]]
    _mark_nonfinite(axes, np.concatenate(gone), "diverged")
    axes.set(xlabel="learning rate", ylabel="loss")
    tidy(axes)


# --- the bench ------------------------------------------------------------------------

Lines = Mapping[str, Sequence[tuple[float, float]]]
"""Points by the name of their line."""


def draw_times(panels: Mapping[str, Lines], limit: str, path: str, title: str) -> None:
    """Draw times of a step in seconds against the number of elements, into a file.

    Parameters
    ----------
    panels : mapping of Lines
        By title, side by side; the first line of each is ours.
    limit : str
        The line below which nothing can be.
    path, title
        The file, and what stands over all.
    """
    require()
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter, NullFormatter

    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    styles = dict(
        zip(
            [name for name in names if name != limit],
            zip(cycle(COLORS), cycle(_MARKERS), cycle(DASHES), strict=False),
            strict=False,
        )
    )
    figure = Figure(figsize=(4.3 * len(panels) + 2.7, 5), layout="constrained")
    figure.suptitle(title)
    drawn = {}
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (panel, lines) in zip(all_axes, panels.items(), strict=True):
        for name, points in lines.items():
            sizes, times = zip(*sorted(points), strict=True)
            if name == limit:
                style = {"color": "0.35", "linewidth": 4, "alpha": 0.35, "zorder": 1}
            else:
                color, marker, dashes = styles[name]
                style = {"color": color, "marker": marker, "linestyle": dashes}
                style |= {"markersize": 5, "linewidth": 1.5}
                style |= {"linewidth": 2.5} if name == names[0] else {}
            (drawn[name],) = axes.loglog(sizes, times, **style)
        axes.set(xlabel="elements", title=panel)
        axes.yaxis.set_major_formatter(EngFormatter("s"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        tidy(axes)
    all_axes[0].set_ylabel("time of a step")
    labels = {limit: f"{limit} (the limit)"}
    figure.legend(
        [drawn[name] for name in names],
        [labels.get(name, name) for name in names],
        loc="outside right center",
        frameon=False,
        handlelength=4,
    )
    figure.savefig(path, dpi=DPI)


# --- all pictures ---------------------------------------------------------------------


def tidy(axes: Axes) -> None:
    """Leave out the frame's upper and right sides, and draw a light grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)


def step_ticks(axes: Axes) -> None:
    """Label whole steps as 500, 20k, 1M; leave little room beside them."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    axes.margins(x=0.01)
    left, right = axes.get_xlim()
    if right - left < 1:
        axes.set_xlim(round(left) - 0.5, round(right) + 0.5)
    axes.xaxis.set_major_locator(
        MaxNLocator(8, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)
    )
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))


def check_path(path: str | PathLike[str] | None) -> None:
    """Raise ValueError for a file of a kind that is not drawn."""
    if path is not None and Path(fspath(path)).suffix not in SUFFIXES:
        raise ValueError(f"path: expected a .png, .pdf or .svg, found {shown(path)}")


def save(figure: Figure, path: str | PathLike[str] | None) -> None:
    """Write a figure into a file, if one is named."""
    if path is not None:
        figure.savefig(path, dpi=DPI)


def require() -> None:
    """Raise ImportError with what to install where matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401 # only whether it is there
    except ImportError:
        raise ImportError(
            'pictures need matplotlib: pip install "lrcore[plot]", or matplotlib itself'
        ) from None
