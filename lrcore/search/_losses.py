"""The value of a run: a number, or the last of the losses that it yields."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar

import numpy as np

from lrcore._shared.domains import real
from lrcore._shared.words import shown

T = TypeVar("T")
Report = Callable[[int, float], None]
"""Takes each loss with its step, counted from 1."""


class Diverged(Exception):  # noqa: N818 # no error: a search goes on
    """A run gave a loss that is not finite, or raised OverflowError or the like."""


def follow(
    what: str,
    run: Callable[[], Any],
    report: Report,
    raised: Callable[[Exception], None] = lambda error: None,
) -> float:
    """Return the value of a run: its number, or the last of the losses that it yields.

    raised : called with an exception of the run itself, before that is raised.

    Raises
    ------
    TypeError, ValueError
        It gives something else than a number, or no loss; the message begins with
        `what`.
    Diverged
        A number is not finite, or the run raised OverflowError or FloatingPointError.
        No further loss is asked for.
    """
    losses: Any = None
    try:
        given = _call(run, raised)
        if not (isinstance(given, list) or hasattr(given, "__next__")):
            return _finite(what, given)
        losses = iter(given)
        value = None
        for step in count(1):
            try:
                item = _call(losses.__next__, raised)
            except StopIteration as end:
                if end.value is not None:
                    return _finite(what, end.value)
                break
            value = _scalar(what, item)
            report(step, value)
            value = _finite(what, value)
    finally:
        if hasattr(losses, "close"):
            losses.close()
    if value is None:
        raise ValueError(f"{what}: expected at least one loss, found none")
    return value


def _call(call: Callable[[], T], raised: Callable[[Exception], None]) -> T:
    try:
        return call()
    except StopIteration:
        raise
    except (OverflowError, FloatingPointError) as error:
        raise Diverged(f"{type(error).__name__}: {error}") from error
    except Exception as error:
        raised(error)
        raise


def _scalar(what: str, value: Any) -> float:
    wanted = "a number, or to yield numbers"
    if isinstance(value, np.ndarray) and value.ndim:
        raise TypeError(
            f"{what}: expected to return {wanted}, found an array of shape "
            f"{value.shape}; reduce it, as by .mean()"
        )
    advice = {
        type(None): "; does it end without a return?",
        tuple: "; return the one number to compare by",
    }.get(type(value), "")
    try:
        return real(what, value, wanted)
    except TypeError:
        raise TypeError(
            f"{what}: expected to return {wanted}, found {shown(value)}{advice}"
        ) from None


def _finite(what: str, value: Any) -> float:
    number = _scalar(what, value)
    if not math.isfinite(number):
        raise Diverged(f"found {number}")
    return number
