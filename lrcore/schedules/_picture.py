"""The picture of schedules, or of any functions of the step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from lrcore._shared.domains import FLAG
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.schedules import _curves
from lrcore.schedules._schedule import Schedule

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def schedules(
    schedules: Callable[[Any], Any] | Mapping[str, Callable[[Any], Any]],
    steps: int,
    path: str | PathLike[str] | None = None,
    title: str | None = None,
    *,
    log: bool = False,
    label: str = "learning rate",
) -> Figure:
    """Draw a schedule, or several beside each other, over the steps.

    Parameters
    ----------
    schedules : callable, or mapping of callables by name
        Functions of the number of steps taken before.  Those that are not of
        `lrcore.schedules` are called with one int at a time.
    steps : int
        The number of steps to draw, from step 0.  If there are more than 4,000, 4,000
        of them are drawn, evenly spaced.
    path : str or path, optional
        A .png, .pdf or .svg file to write.
    title : str, optional
        Default: the repr of a single schedule; none for several.
    log : bool, default False
        Whether the axis of values is logarithmic.
    label : str, default "learning rate"
        The name of the values, as a schedule can also drive a momentum, say.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError, ValueError
        A schedule cannot be called, there is none, `steps` is no int >= 1, `log` is no
        bool, or the path has another suffix.
    ImportError
        matplotlib is missing.

    Examples
    --------
    >>> from lrcore.schedules import StepDecay
    >>> figure = schedules(StepDecay(0.1, gamma=0.5, every=10), steps=40)
    >>> [int(x) for x in figure.axes[0].lines[0].get_xdata()[:3]]
    [0, 1, 2]
    """
    FLAG.check("log", log)
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
    t = _curves.steps_drawn(steps, path)
    if title is None and not several:
        title = _curves.title(schedules)
    curves = {name: _values(schedule, t) for name, schedule in named.items()}
    return _curves.draw(t, curves, path, title, log=log, label=label, named=several)


def _values(schedule: Callable[[Any], Any], t: Array) -> Array:
    if isinstance(schedule, Schedule):
        return schedule(t)
    return np.array([float(schedule(int(step))) for step in t])
