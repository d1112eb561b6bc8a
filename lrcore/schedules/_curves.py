"""Pictures of curves over the steps, drawn from arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import cycle
from os import PathLike
from textwrap import fill, shorten
from typing import TYPE_CHECKING, Any

import numpy as np

from lrcore._shared import pictures
from lrcore._shared.domains import count
from lrcore._shared.types import Array
from lrcore._shared.words import shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_POINTS = 4000  # the most points of a line: more than a picture has pixels across


def steps_drawn(steps: int, path: str | PathLike[str] | None) -> Array:
    """Return the steps to draw, after a check that a picture can be made."""
    count(1).check("steps", steps)
    pictures.check_path(path)
    pictures.require()
    return np.unique(np.linspace(0, steps - 1, min(steps, _POINTS)).astype(np.int64))


def title(schedule: object) -> str:
    """Return the title of a picture of one schedule."""
    return shorten(repr(schedule), 160, placeholder=" ...")


def draw(
    t: Array,
    curves: Mapping[Any, Array],
    path: str | PathLike[str] | None,
    title: str | None,
    *,
    log: bool = False,
    label: str = "learning rate",
    named: bool = False,
) -> Figure:
    """Draw values at the steps t.

    named : whether each curve has its own colour and its name in a legend.
    """
    names = [fill(shortened(str(name)), 60) for name in curves]
    widest = max(map(len, names)) + 8
    columns = pictures.columns(len(curves), most=max(1, min(4, 90 // widest)))
    height = 4 + 0.22 * (math.ceil(len(curves) / columns) - 1)
    figure = pictures.canvas(8, height)
    axes = figure.subplots()
    styles = zip(cycle(pictures.COLORS), cycle(pictures.DASHES), strict=False)
    lines: list[Any] = []
    for values, (color, dashes) in zip(curves.values(), styles, strict=False):
        style = (
            {"color": color, "linestyle": dashes} if named else {"color": pictures.BLUE}
        )
        style |= {"marker": "."} if t[-1] < 30 else {}
        lines += axes.plot(t, values, linewidth=2, **style)
    if log:
        axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel(shortened(label), parse_math=False)
    pictures.tidy(axes)
    pictures.step_ticks(axes)
    if named:
        legend = figure.legend(
            lines, names, loc="outside lower center", frameon=False, handlelength=3.5,
            ncols=columns,
        )  # fmt: skip
        for text in legend.get_texts():
            text.set_parse_math(False)
    if title:
        size = 12 if len(title) < 60 else 10
        axes.set_title(pictures.title(title), fontsize=size, parse_math=False)
    pictures.save(figure, path)
    return figure
