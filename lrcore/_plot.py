"""Pictures, by matplotlib: the extra `plot`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np

from lrcore._typing import Array


def draw_run(
    losses: Sequence[float], rates: Sequence[float], path: str, title: str
) -> None:
    """Draw a run's loss, raw and smoothed, over its learning rate, into a file."""
    require()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    top, bottom = figure.subplots(2, sharex=True, height_ratios=[2, 1])
    top.semilogy(losses, color="0.75", linewidth=0.8, label="each step")
    top.semilogy(_smoothed(losses), color="C0", label="smoothed")
    top.set(ylabel="loss", title=title)
    top.legend(frameon=False)
    bottom.plot(rates, color="C1")
    bottom.set(ylabel="learning rate", xlabel="step", ylim=(0, None))
    for axes in (top, bottom):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


Lines = Mapping[str, Sequence[tuple[float, float]]]
"""Points by the name of their line."""

# Okabe and Ito's colours, which colour-blind readers tell apart; a marker and a dash
# pattern of its own for each line beside them.
_COLORS = ("#000000", "#e69f00", "#56b4e9", "#009e73", "#d55e00", "#0072b2", "#cc79a7")
_MARKERS = "osD^vP*X<>ph"
_DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))


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
            zip(cycle(_COLORS), cycle(_MARKERS), cycle(_DASHES), strict=False),
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
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    all_axes[0].set_ylabel("time of a step")
    labels = {limit: f"{limit} (the limit)"}
    figure.legend(
        [drawn[name] for name in names],
        [labels.get(name, name) for name in names],
        loc="outside right center",
        frameon=False,
        handlelength=4,
    )
    figure.savefig(path, dpi=150)


def require() -> None:
    """Raise ImportError with what to install where matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401 # only whether it is there
    except ImportError:
        raise ImportError(
            'pictures need matplotlib: pip install "lrcore[plot]", or matplotlib itself'
        ) from None


def _smoothed(values: Sequence[float], half: int = 12) -> Array:
    """Mean over a window centred on each value, shorter at the ends."""
    sums = np.cumsum(np.concatenate([[0.0], np.asarray(values, float)]))
    at = np.arange(len(values))
    lo, hi = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    mean: Array = (sums[hi] - sums[lo]) / (hi - lo)
    return mean
