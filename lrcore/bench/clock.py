"""The clock: functions timed in turns."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import quantiles
from typing import NamedTuple

SETTLE = 0.02
"""Seconds of calls at the beginning of a turn that are not counted.

They bring the arrays back into the cache, and meanwhile the threads of the previous
function stop spinning: those of libgomp spin for 300,000 pauses, 16 ms here.
"""

FEED = 2e-5
"""The fewest seconds of calls between two feeds of gradients that a step changes."""


class Turn(NamedTuple):
    """A function to time.

    call : takes nothing.
    enter : called before each turn, not timed.
    feed : called before each call, or before several short ones, not timed.
    """

    call: Callable[[], object]
    enter: Callable[[], object] | None = None
    feed: Callable[[], object] | None = None


class Timing(NamedTuple):
    """Seconds of a call: median and quartiles over the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, times: Sequence[float]) -> Timing:
        """Return the quartiles of a function's times, of which each round has one."""
        if len(times) == 1:
            return cls(times[0], times[0], times[0])
        low, median, high = quantiles(times, n=4, method="inclusive")
        return cls(median, low, high)


def interleave(
    turns: Mapping[str, Turn | Callable[[], object]],
    rounds: int = 9,
    seconds: float = 0.03,
    tick: Callable[[], object] = lambda: None,
) -> dict[str, Timing]:
    """Time functions in turns.

    In each round every function runs for some seconds (at least once), so that other
    work on the machine affects all of them.  Each round begins with another function.
    A turn begins with calls that are not counted (`SETTLE`).

    Parameters
    ----------
    turns : mapping of Turn or callable
        By name.
    rounds, seconds
        The number of turns of each function, and the length of a turn.
    tick
        Called after each round.
    """
    known = {k: t if isinstance(t, Turn) else Turn(t) for k, t in turns.items()}
    order, times = list(known), {name: list[float]() for name in known}
    collects = gc.isenabled()
    gc.collect()  # once: with torch and jax it takes a tenth of a second
    gc.disable()
    try:
        for _ in range(rounds):
            for name in order:
                times[name].append(_turn(known[name], seconds))
            order.append(order.pop(0))
            tick()
    finally:
        if collects:
            gc.enable()
    return {name: Timing.of(values) for name, values in times.items()}


def _turn(turn: Turn, seconds: float) -> float:
    """Return the mean seconds of a call in one turn."""
    if turn.enter:
        turn.enter()
    calls, taken = 1, 0.0  # doubled until the calls have taken SETTLE
    begun = time.perf_counter()
    while True:
        taken = timed(turn, calls, calls if turn.feed is None else 1)
        if time.perf_counter() - begun >= SETTLE:
            break
        calls *= 2
    each = taken / calls
    n = max(1, round(seconds / each))
    return timed(turn, n, n if turn.feed is None else max(1, round(FEED / each))) / n


def timed(turn: Turn, calls: int, at_once: int) -> float:
    """Return the seconds of `calls` calls; gradients are fed before each `at_once`."""
    call, total = turn.call, 0.0
    for first in range(0, calls, at_once):
        if turn.feed:
            turn.feed()
        few = range(min(at_once, calls - first))
        start = time.perf_counter()
        for _ in few:
            call()
        total += time.perf_counter() - start
    return total
