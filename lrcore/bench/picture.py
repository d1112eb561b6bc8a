"""The bench's picture: the time of a step against the number of elements."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from math import nan

from lrcore._shared.pictures import (
    COLORS,
    DASHES,
    require,
    save,
    tidy,
)
from lrcore.bench import peers
from lrcore.bench.cases import Case, Run

_MARKERS = "osD^vP*X<>ph"

Lines = Mapping[str, Mapping[int, float]]
"""By the name of a line, the times of a step in seconds by the number of elements."""


def draw(run: Run, path: str) -> None:
    """Draw the bare steps of a run: time against size, a panel each way to share it.

    A peer that ran at one thread too is drawn by the faster of the two at each size.
    """
    panels: dict[str, dict[str, dict[int, float]]] = {}
    for result in run.results:
        case = result.case
        lines = panels.setdefault(_panel(case), {})
        for name, t in result.times.items():
            line = lines.setdefault(name.removesuffix(", 1 thread"), {})
            size = case.elements
            line[size] = min(line.get(size, t.median), t.median)
    m = run.machine
    about = f"{m['processor']}, {m['cores']} cores, {m['isa']}"
    draw_times(panels, peers.Traffic.name, path, f"A step, {about}")


def _panel(case: Case) -> str:
    """Return the title of the panel to which a case belongs."""
    parts = [f"{case.optimizer} {case.dtype}", f"{case.arrays:,} arrays"]
    if case.arrays == 1:
        parts[1] = "one array"
    parts.append(f"{case.threads} thread" + "s" * (case.threads > 1))
    if case.neighbours is not None:
        parts.append(f"beside {case.neighbours}")
    return "\n".join([parts[0], ", ".join(parts[1:])])


def draw_times(panels: Mapping[str, Lines], limit: str, path: str, title: str) -> None:
    """Draw times of a step against the number of elements, into a file.

    A line is interrupted at a size that only others have, as it was not timed there.

    Parameters
    ----------
    panels : mapping of Lines
        By title, side by side; the first line of each is ours.
    limit : str
        The line that is the limit of all others.
    path, title
        The file, and the title of the whole picture.
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
    sizes = sorted(
        {n for lines in panels.values() for line in lines.values() for n in line}
    )
    drawn = {}
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (panel, lines) in zip(all_axes, panels.items(), strict=True):
        for name, points in lines.items():
            times = [points.get(n, nan) for n in sizes]
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
    save(figure, path)
