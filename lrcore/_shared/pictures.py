"""Helpers that all pictures share: colours, grid, ticks, files.

Pictures need matplotlib (the extra `plot`), which only the functions that draw import.
"""

from __future__ import annotations

import math
from os import PathLike, fspath
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from lrcore._shared.files import replacing
from lrcore._shared.types import Array
from lrcore._shared.words import shortened, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can tell apart.  Lines also differ
# in their dashes.
BLACK, ORANGE, SKY, GREEN, VERMILION, BLUE, PURPLE = COLORS = (
    "#000000", "#e69f00", "#56b4e9", "#009e73", "#d55e00", "#0072b2", "#cc79a7",
)  # fmt: skip
DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))

DPI = 150  # of a file; 8 inches are 1,200 pixels, which a README shows as 800 to 900
SUFFIXES = (".png", ".pdf", ".svg")

# Beyond these, the margins and ticks of a logarithmic axis overflow.
_LARGEST, _LEAST = 1e100, 1e-100


def tidy(axes: Axes) -> None:
    """Remove the upper and right sides of the frame, and draw a light grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)


def step_ticks(axes: Axes) -> None:
    """Label whole steps as 500, 20k, 1M; set narrow margins."""
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
    """Raise ValueError for a path with another suffix than `SUFFIXES`."""
    if path is not None and Path(fspath(path)).suffix not in SUFFIXES:
        raise ValueError(f"path: expected a .png, .pdf or .svg, found {shown(path)}")


def save(figure: Figure, path: str | PathLike[str] | None) -> None:
    """Write a figure to a path, whole or not at all, unless it is None."""
    if path is not None:
        with replacing(path) as file:
            figure.savefig(file, dpi=DPI, format=Path(fspath(path)).suffix[1:])


def require() -> None:
    """Raise an ImportError that says what to install if matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401 # imported for the ImportError
    except ImportError:
        raise ImportError(
            'pictures need matplotlib: pip install "lrcore[plot]", or matplotlib itself'
        ) from None


def canvas(width: float, height: float) -> Figure:
    """Return an empty figure that notebooks show; the size is in inches."""
    from lrcore._shared.figure import Picture

    return Picture(figsize=(width, height), layout="constrained")


def drawable(values: Array) -> Array:
    """Replace values that cannot be drawn: tiny ones by 0, huge ones by NaN."""
    size = np.abs(values)
    return np.where(size < _LARGEST, np.where(size < _LEAST, 0.0, values), np.nan)


def mark_nonfinite(axes: Axes, steps: Array, label: str = "not finite") -> None:
    """Mark steps or rates with a value that is not finite, at the upper edge."""
    if len(steps):
        axes.plot(
            steps, np.full(len(steps), 0.97), "x", transform=axes.get_xaxis_transform(),
            color=VERMILION, markersize=6, markeredgewidth=1.5, label=label,
        )  # fmt: skip


def title(text: str) -> str:
    """Return a text in lines that fit into a picture, as its title or a part of it."""
    lines = [fill(shortened(line), 80) for line in text.split("\n")]
    return "\n".join(lines[:5])


def columns(number: int, most: int) -> int:
    """Return the number of columns, up to `most`, that fills the fewest rows evenly."""
    rows = math.ceil(number / most)
    return math.ceil(number / rows)
