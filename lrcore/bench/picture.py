"""The bench's picture: the time of a step against the number of elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

from lrcore._shared.pictures import (
    COLORS,
    DASHES,
    DPI,
    require,
    tidy,
)

_MARKERS = "osD^vP*X<>ph"

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
            zip(
                cycle(COLORS),
                cycle(_MARKERS),
                cycle(DASHES),
                strict=False,
            ),
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
