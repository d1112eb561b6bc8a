"""Checks of the arguments of `sweep` and `tune`."""

from __future__ import annotations

import pickle
import sys
from collections import ChainMap
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any, Literal

from lrcore._shared.domains import count, whole
from lrcore._shared.words import shortened, shown
from lrcore.space._dimension import Dimension, one_of

Method = Literal["grid", "log_sweep", "random", "tpe", "gp", "hyperband", "asha"]


def check_callable(name: str, value: Any) -> None:
    """Raise TypeError for a value that cannot be called."""
    if not callable(value):
        raise TypeError(f"{name}: expected a function, found {shown(value)}")


_USED_BY = {
    "points": ("grid",),
    "min_steps": ("hyperband", "asha"),
    "max_steps": ("hyperband",),
    "reduction": ("hyperband", "asha"),
}


def check_used(method: str, **given: int | None) -> None:
    """Refuse arguments that only other methods use."""
    for name, value in given.items():
        if value is not None and method not in _USED_BY[name]:
            raise ValueError(
                f"{name}: expected None for {method!r}, as it is of "
                f"{' and '.join(map(repr, _USED_BY[name]))}, found {shown(value)}"
            )


def slots(
    space: Mapping[str, Dimension], method: str, trials: int | None, points: int
) -> list[dict[str, Any]]:
    """Return for each trial those of Optuna's parameters that are fixed."""
    if trials is not None:
        whole("trials", trials, "an int >= 1, or None", least=1)
    count(1).check("points", points)
    if method == "log_sweep":
        if len(space) > 1 or getattr(next(iter(space.values())), "scale", "") != "log":
            raise ValueError(
                "space: expected one number on the scale 'log' for 'log_sweep', as "
                f"{{'lr': lrcore.space.lr()}}, found {shown(dict(space))}; "
                "'grid' takes any"
            )
        points = 13 if trials is None else trials
    elif method != "grid":
        return [{} for _ in range(30 if trials is None else trials)]
    columns = [
        [dimension.write(name, value) for value in dimension.points(points)]
        for name, dimension in space.items()
    ]
    grid = [dict(ChainMap(*row)) for row in product(*columns)]
    if method == "grid" and trials not in (None, len(grid)):
        raise ValueError(
            f"trials: expected None for 'grid', whose {len(grid)} points follow from "
            f"`points` and the space, found {shown(trials)}"
        )
    return grid


def read_catch(catch: Any) -> tuple[type[Exception], ...]:
    """Return exception types as a tuple: one type, or several."""
    types = tuple(catch) if isinstance(catch, (tuple, list, set)) else (catch,)
    for each in types:
        if not (isinstance(each, type) and issubclass(each, Exception)):
            raise TypeError(
                "catch: expected types of exceptions, as (ZeroDivisionError,), found "
                f"{shown(each)}"
            )
    return types


DIRECTIONS: dict[str, Literal["min", "max"]] = {"minimize": "min", "maximize": "max"}


def read_aliases(
    trials: int | None, n_trials: int | None, mode: Any, direction: Any
) -> tuple[int | None, Any]:
    """Return `trials` and `mode`, which may be given by Optuna's words for them."""
    if n_trials is not None:
        if trials is not None:
            raise ValueError(
                "n_trials: expected one of `trials` and `n_trials`, which mean the "
                f"same, found {shown(trials)} and {shown(n_trials)}"
            )
        whole("n_trials", n_trials, "an int >= 1, or None", least=1)
        trials = n_trials
    if direction is None:
        return trials, "min" if mode is None else mode
    one_of("direction", direction, tuple(DIRECTIONS))
    if mode not in (None, DIRECTIONS[direction]):
        raise ValueError(
            "direction: expected one of `mode` and `direction`, which mean the same, "
            f"found {shown(mode)} and {shown(direction)}"
        )
    return trials, DIRECTIONS[direction]


def check_pickles(objective: Any) -> None:
    """Refuse an objective that cannot be sent to other processes."""
    function = objective
    while isinstance(function, partial):
        function = function.func
    main = getattr(sys.modules["__main__"], "__file__", None) or ""
    if getattr(function, "__module__", "") == "__main__" and not Path(main).is_file():
        raise TypeError(
            "objective: expected one of a module that other processes can import, as "
            f"n_jobs > 1 needs it, found {shown(objective)}, which was defined at the "
            "prompt or in a notebook; put it into a file and import it"
        )
    try:
        pickle.dumps(objective)
    except Exception as error:
        raise TypeError(
            "objective: expected one that pickles, as n_jobs > 1 sends it to other "
            f"processes, found {shown(objective)} ({shortened(str(error))}); define it "
            "at a module's top level, and bind further data by functools.partial or in "
            "a class with __call__"
        ) from None


def require(method: str) -> None:
    """Raise ImportError if a method's packages are missing."""
    if find_spec("optuna") is None:
        raise ImportError(
            'tune needs Optuna: pip install "lrcore[search]", or optuna itself; '
            "lrcore.sweep does without it"
        )
    if method == "gp":
        missing = [each for each in ("torch", "scipy") if find_spec(each) is None]
        if missing:
            raise ImportError(
                "method 'gp' is Optuna's Gaussian process, which needs "
                f"{' and '.join(missing)}: pip install {' '.join(missing)}; 'tpe' is "
                "Bayesian too, and does without"
            )
