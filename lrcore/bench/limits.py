"""Where a step ends: the bytes that it moves, and the processor's divider.

A step cannot be faster than a loop that only moves its bytes, nor than its divisions
and square roots, which share one unit of the processor that takes several cycles for
each vector.  Both are measured in the run: the bytes by the traffic loop on arrays of
the same size, the divider by NumPy's loops on arrays in the first cache.
"""

from __future__ import annotations

import ast
import inspect
import time
from collections import Counter
from collections.abc import Mapping
from functools import cache, partial
from typing import NamedTuple

import numpy as np

import lrcore
from lrcore import reference
from lrcore.bench.cases import Divider, Result
from lrcore.bench.peers import Traffic, settings

LENGTHS = 512, 2560
"""Lengths whose difference counts, so that the call itself does not: three arrays of
float32 fill 30 KB; in float64 they have half as many elements."""


class Limit(NamedTuple):
    """The least seconds of a step, by what it needs.

    bytes, divisions, roots : of a step, an element.
    traffic : the seconds in which the traffic loop moves the bytes; None if it is not
        known.
    divider : the seconds of divisions and roots on `threads` dividers; None if they
        were not measured.
    """

    bytes: float
    divisions: int
    roots: int
    traffic: float | None
    divider: float | None
    threads: int

    @property
    def seconds(self) -> float | None:
        """The longer of both."""
        return max(filter(None, (self.traffic, self.divider)), default=None)


def limit(result: Result, dividers: Mapping[str, Divider]) -> Limit:
    """Return the limit of a case.

    Parameters
    ----------
    result : Result
        Of a case in which the traffic loop took its turns.
    dividers : mapping of Divider
        By dtype.
    """
    case = result.case
    loops = [t for name, t in result.times.items() if name.startswith(Traffic.name)]
    traffic = None
    if loops and result.traffic_bytes:
        rate = result.traffic_bytes / min(t.median for t in loops)
        traffic = result.step_bytes / rate
    counts, threads, divider = work(case.optimizer), 1, None
    if case.elements >= lrcore.AdamW(np.ones(1, np.float32))._plan.parallel_from:
        threads = case.threads
    if (each := dividers.get(case.dtype)) is not None:
        one = counts["division"] * each.division + counts["root"] * each.root
        divider = one * case.elements / threads
    return Limit(
        result.step_bytes / case.elements,
        counts["division"],
        counts["root"],
        traffic,
        divider,
        threads,
    )


def work(optimizer: str) -> Counter[str]:
    """Return the divisions and roots that a step takes an element.

    They are those of `lrcore.reference`.

    >>> work("AdamW")
    Counter({'division': 1, 'root': 1})
    """
    kind = getattr(lrcore, optimizer)
    hyper = kind._settled(settings(optimizer))
    counts = Counter(_work(kind._rule_for(hyper)))
    if kind._factoring:
        counts.update(_work(f"unfactor_{kind._factoring}"))
    return counts


@cache
def _work(name: str) -> Counter[str]:
    """Return the divisions and roots in a function of the reference, by its text."""
    counts: Counter[str] = Counter()
    for node in ast.walk(ast.parse(inspect.getsource(getattr(reference, name)))):
        match node:
            case ast.BinOp(op=ast.Div(), left=left, right=right):
                folded = isinstance(left, ast.Constant) and isinstance(
                    right, ast.Constant
                )
                counts["division"] += not folded
            case ast.Call(func=ast.Attribute(attr="sqrt")):
                counts["root"] += 1
            case ast.Call(func=ast.Name(id=called)):
                function = getattr(reference, called, None)
                if inspect.isfunction(function) and function.__module__ == (
                    reference.__name__
                ):
                    counts.update(_work(called))
    return counts


def measured(dtype: str) -> Divider:
    """Measure a division and a root, of arrays in the first cache, by one thread.

    NumPy's loops take full vectors; a vector twice as long takes the divider twice as
    long, so the width does not matter much.
    """
    return Divider(_seconds(np.divide, dtype), _seconds(np.sqrt, dtype))


def _seconds(function: np.ufunc, dtype: str) -> float:
    """Return the least seconds of a function, an element."""
    shrink = np.dtype(dtype).itemsize // np.dtype(np.float32).itemsize
    lengths = [n // shrink for n in LENGTHS]
    calls = []
    for n in lengths:
        arrays = [np.full(n, x, dtype) for x in (1.7, 1.3)[: function.nin]]
        calls.append(partial(function, *arrays, out=np.empty(n, dtype)))
    least = [float("inf")] * 2
    for _ in range(300):
        for k, call in enumerate(calls):
            start = time.perf_counter()
            for _ in range(10):
                call()
            least[k] = min(least[k], (time.perf_counter() - start) / 10)
    return (least[1] - least[0]) / (lengths[1] - lengths[0])
