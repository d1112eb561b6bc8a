"""The functions for formulas: one namespace for numbers, one for arrays.

A formula is written once, for both.  A number takes a fiftieth of the time with `math`
that it takes with NumPy.  Where a function for arrays finds that all elements have the
same value, it returns one number: the operations that follow then cost next to nothing.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

from lrcore._shared.types import Array

_UNDERFLOWS = -746.0  # exp of this and of lower numbers is 0
_NORMAL = -708.0  # exp of this and of higher numbers is not subnormal


def _power(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except OverflowError:
        return math.inf


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _progress(t: float, begin: float, steps: float) -> float:
    if not steps:
        return 1.0 if t >= begin and t > 0 else 0.0
    x = (t - begin) / steps
    if x <= 0:
        return 0.0
    return x if x < 1 else 1.0


def _between(a: float, b: float, x: float) -> float:
    return a * (1 - x) + b * x


@lru_cache(256)
def _array(values: tuple[float, ...]) -> Array:
    return np.array(values, float)


def _arrays_exps(y: Array) -> Any:
    return _normal_or_squared(np.exp, y, 1.0)


def _arrays_powers(x: float, y: Array) -> Any:
    return _normal_or_squared(partial(np.power, x), y, math.log(x))


def _normal_or_squared(function: Callable[[Array], Array], y: Array, log: float) -> Any:
    """Return ``function(y)``, whose logarithm is ``log * y``.

    NumPy takes thirty times as long for results that are 0 or subnormal.  So these are
    squares of ``function(y / 2)``; their last bit may differ from NumPy's.
    """
    if log * (y.max() if log < 0 else y.min()) >= _NORMAL:
        return function(y)
    logs = log * y
    if logs.max() < _UNDERFLOWS:
        return 0.0
    small = logs < _NORMAL
    bounded = np.where(logs < _UNDERFLOWS, _UNDERFLOWS / log, y)
    values = function(np.where(small, bounded / 2, y))
    return np.square(values, out=values, where=small)


def _arrays_distinct(at: Callable[[Array, Any], Any], k: Array) -> Any:
    """Return ``at(k, ARRAYS)``, evaluated once for each number if these are few."""
    low, high = int(k.min()), int(k.max())
    if high - low >= len(k):
        return at(k, ARRAYS)
    places = (k - low).astype(np.intp)
    found = np.flatnonzero(np.bincount(places))  # those that are there
    values = at(found + float(low), ARRAYS)
    if not isinstance(values, np.ndarray):
        return values
    table = np.empty(high - low + 1)
    table[found] = values
    return table.take(places)


def _arrays_whole_powers(x: float, k: int | Array) -> Any:
    if isinstance(k, int):
        return _arrays_powers(x, np.array([k]))
    return _arrays_distinct(lambda each, _: _arrays_powers(x, each), k)


def _arrays_progress(t: Array, begin: float, steps: float) -> Any:
    first, last = (_progress(float(end), begin, steps) for end in (t.min(), t.max()))
    if first == last:
        return first
    if not steps:
        return np.where((t >= begin) & (t > 0), 1.0, 0.0)
    x = (t - begin if begin else t) / steps
    if begin and first == 0:
        x = np.maximum(x, 0.0)
    return np.minimum(x, 1.0) if last == 1 else x


def _arrays_between(a: Any, b: Any, x: Any) -> Any:
    if type(a) is float and a == 0 < b:  # then a (1 - x) + b x = b x, to the bit
        return b * x
    return a * (1 - x) + b * x


def _counter(
    bisect: Callable[..., int], side: Literal["left", "right"]
) -> Callable[[tuple[float, ...], Array], int | Array]:
    other_side: Literal["left", "right"] = "right" if side == "left" else "left"

    def count(points: tuple[float, ...], t: Array) -> int | Array:
        least, most = bisect(points, float(t.min())), bisect(points, float(t.max()))
        if least == most:
            return least
        between = np.array(points[least:most], float)
        counts: Array
        if (t[1:] >= t[:-1]).all():  # a search for each point is faster
            firsts = t.searchsorted(between, other_side)
            lengths = np.diff(firsts, prepend=0, append=len(t))
            counts = np.arange(least, most + 1).repeat(lengths)
        else:
            counts = between.searchsorted(t, side) + least
        return counts

    return count


NUMBERS: SimpleNamespace = SimpleNamespace(
    ceil=math.ceil,
    cos=math.cos,
    exp=_exp,
    floor=math.floor,
    log=math.log,
    maximum=max,
    minimum=min,
    power=_power,
    # In an array, results of exps and powers may be subnormal without being slow.
    exps=_exp,
    powers=_power,  # x is one number above 0, the exponents are an array
    whole_powers=_power,  # likewise, with whole exponents
    distinct=lambda at, k: at(k, NUMBERS),  # for whole k, of which many are the same
    # From 0 in step `begin` to 1 after `steps` more, where it stays.  With no steps it
    # jumps to 1, but in step 0 it is 0 in any case: a warm-up rises to the value there.
    progress=_progress,
    between=_between,  # from a at x = 0 to b at x = 1, exact at both ends
    sqrt=math.sqrt,
    tanh=math.tanh,
    # The number of points <= t, and of points < t.  For an array it is one int if it is
    # the same for all elements, as in most blocks of rising steps.
    count=bisect_right,
    count_below=bisect_left,
    take=lambda values, k: values[k],
    where=lambda condition, a, b: a if condition else b,
)
ARRAYS: SimpleNamespace = SimpleNamespace(
    ceil=np.ceil,
    cos=np.cos,
    exp=np.exp,
    floor=np.floor,
    log=np.log,
    maximum=np.maximum,
    minimum=np.minimum,
    power=np.power,
    exps=_arrays_exps,
    powers=_arrays_powers,
    whole_powers=_arrays_whole_powers,
    distinct=_arrays_distinct,
    progress=_arrays_progress,
    between=_arrays_between,
    sqrt=np.sqrt,
    tanh=np.tanh,
    count=_counter(bisect_right, "right"),
    count_below=_counter(bisect_left, "left"),
    take=lambda values, k: values[k] if type(k) is int else _array(values).take(k),
    where=np.where,
)


def half_cosine(x: Any, xp: Any) -> Any:
    """From 1 at x = 0 down to 0 at x = 1."""
    return (1 + xp.cos(math.pi * x)) * 0.5
