"""The panels of a run and the marks of its findings, for the dashboard and the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lrcore._shared.pictures import (
    BLUE,
    GREEN,
    PURPLE,
    SKY,
    VERMILION,
    drawable,
    mark_nonfinite,
    step_ticks,
    tidy,
)
from lrcore._shared.types import Array
from lrcore.monitor._finding import Finding
from lrcore.monitor._history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Panel = Callable[["Axes", "History"], None]
"""Draws one quantity of a run over its steps."""


def panels(history: History) -> dict[str, Panel]:
    """Return the panels for which the history has values, by the quantity's name."""
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
    """Return the most severe findings by their number: 1 for the first finding."""
    rank = list(_SEVERITIES)[::-1]
    order = sorted(
        enumerate(findings, 1), key=lambda item: rank.index(item[1].severity)
    )
    return dict(sorted(order[:most]))


def mark_findings(axes: Axes, findings: Mapping[int, Finding], numbers: bool) -> None:
    """Draw a line where each finding was made, and a band from where it holds.

    A healthy or unknown state has no mark.  With `numbers`, the numbers of the findings
    are drawn over the lines; lines close to each other share one label.
    """
    left, right = axes.get_xlim()
    groups: list[tuple[float, list[int], str]] = []
    marked = [(f.step, k, f) for k, f in findings.items() if is_marked(f)]
    for step, k, finding in sorted(marked, key=lambda mark: mark[:2]):
        color, dashes, _ = _SEVERITIES[finding.severity]
        axes.axvline(step, color=color, linestyle=dashes, linewidth=1.2, zorder=1.5)
        if finding.since < step:
            for look in _band(finding.severity):
                axes.axvspan(finding.since, step, **look)
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


def is_marked(finding: Finding) -> bool:
    """Whether a finding is drawn: not one that says that nothing is wrong."""
    return finding.kind not in NOTHING_WRONG


def legend(axes: Axes, findings: Mapping[int, Finding]) -> dict[str, Any]:
    """Return handles and labels for the loss panel and for the marks of findings."""
    from matplotlib.patches import Patch

    drawn, labels = axes.get_legend_handles_labels()
    handles: list[Any] = [*drawn]
    for severity in _SEVERITIES:
        if any(is_marked(f) and f.severity == severity for f in findings.values()):
            handles.append(tuple(Patch(**look) for look in _band(severity)))
            labels.append(f"{severity}, its duration")
    return {"handles": handles, "labels": labels, "frameon": False}


NOTHING_WRONG = ("healthy", "unknown")
"""Kinds of findings that say that nothing is wrong, or that nothing is known yet."""

# Colour, dashes of the line, hatches of the band.
_SEVERITIES = {
    "info": (BLUE, ":", "\\\\"),
    "warning": ("#b87700", "--", "//"),  # orange, but darker: white numbers stand on it
    "error": (VERMILION, "-", ""),
}


def _band(severity: str) -> list[dict[str, Any]]:
    """Return the looks of a finding's band: its area, and hatches that tell it apart.

    They are drawn one over the other, as SVG has one opacity for both.
    """
    color, _, hatch = _SEVERITIES[severity]
    area = {"color": color, "alpha": 0.1 if hatch else 0.2, "linewidth": 0}
    if not hatch:
        return [area]
    lines = {"facecolor": "none", "edgecolor": color, "alpha": 0.3, "linewidth": 0}
    return [area, {**lines, "hatch": hatch}]


def _draw_loss(axes: Axes, history: History) -> None:
    step, loss, low, high = (
        drawable(x) for x in (history.step, history.loss, history.low, history.high)
    )
    validation = drawable(history.validation)
    if (low != high).any():
        axes.fill_between(
            step, low, high, color="0.6", alpha=0.35, linewidth=0,
            label="least to largest",
        )  # fmt: skip
    marker = "." if len(step) <= 30 else None
    axes.plot(step, loss, color="0.55", linewidth=0.8, marker=marker, label="loss")
    half = min(12, len(step) // 20)
    if half:
        axes.plot(
            step,
            smoothed(loss, half),
            color=BLUE,
            linewidth=2,
            label="smoothed",
        )
    at = np.isfinite(validation)
    if at.any():
        axes.plot(
            step[at], validation[at], color=VERMILION, linestyle="--", markersize=4,
            marker="o" if at.sum() <= 60 else None, label="validation",
        )  # fmt: skip
    scale(axes, loss, low, high, validation, dense=1e3)
    bad = (history.nonfinite > 0) | np.isinf(history.validation)
    mark_nonfinite(axes, step[bad])


def _draw_rate(axes: Axes, history: History) -> None:
    lr = drawable(history.lr)
    axes.plot(history.step, lr, **_line(lr, GREEN))
    # Logarithmic for the rates of a range test, which span decades evenly, but
    # not for those of a decay, most of which are near the highest.
    if np.nanmin(lr) > 0 and np.nanmedian(lr) < np.nanmax(lr) / 50:
        scale(axes, lr)
    elif np.nanmin(lr) >= 0:
        axes.set_ylim(bottom=0)


def _draw_grad_norm(axes: Axes, history: History) -> None:
    norm = drawable(history.grad_norm)
    axes.plot(history.step, norm, **_line(norm, PURPLE))
    scale(axes, norm)
    mark_nonfinite(axes, history.step[history.nonfinite_grads > 0])


def _draw_update_ratio(axes: Axes, history: History) -> None:
    ratio = drawable(history.update_ratio)
    axes.plot(history.step, ratio, **_line(ratio, SKY))
    axes.axhline(1e-3, color="0.5", linestyle="--", linewidth=1)
    axes.annotate(
        "usual", (1, 1e-3), (3, 0), xycoords=("axes fraction", "data"),
        textcoords="offset points", ha="left", va="center", color="0.5", fontsize=9,
    )  # fmt: skip
    scale(axes, ratio)


def _line(values: Array, color: str) -> dict[str, Any]:
    marker = "." if len(values) <= 30 else None
    return {"color": color, "linewidth": 1.2, "marker": marker}


def scale(axes: Axes, *values: Array, dense: float = 1e2) -> None:
    """Make the y axis logarithmic if no value is negative and some are positive.

    If it spans less than a factor of `dense`, it has labels at 1, 2, 5, 10 and so on.
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
    """Return the running median of 2 `half` + 1 values.

    It is a median because one loss of 1e30 would lift a mean over the whole window.
    Towards both ends the window becomes shorter on both sides (down to 2 values on a
    side), so that the line is not pulled to the level of values further inside.
    Values that are not finite are left out, and their own median is NaN.
    """
    x = np.where(np.isfinite(values), values, np.nan)
    padded = np.pad(x, half, constant_values=np.nan)
    window = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    place = np.arange(len(x))
    side = np.minimum(place, place[::-1]).clip(min(half, 2), half)
    inside = np.abs(np.arange(-half, half + 1)) <= side[:, None]
    window = np.sort(np.where(inside, window, np.nan))
    count = np.isfinite(window).sum(axis=1)  # NaN are sorted last
    rows, least = np.arange(len(x)), np.maximum(count - 1, 0) // 2
    median = (window[rows, least] + window[rows, count // 2]) / 2
    return np.where(np.isnan(x), np.nan, median)
