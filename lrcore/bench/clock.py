"""The clock: functions timed in turns."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import fmean
from typing import NamedTuple, Protocol

import numpy as np

SETTLE = 0.02
"""Seconds of calls at the beginning of a turn that are not counted.

They bring the arrays back into the cache, and meanwhile the threads of the previous
function stop spinning: those of libgomp spin for 300,000 pauses, 16 ms here.
"""

SAMPLE = 2e-5
"""The fewest seconds of calls that are timed together: a longer call is a sample.

It is also the least time between two feeds of gradients that a step changes.
"""


class Taker(Protocol):
    """What takes turns: a function, here or in a process of its own."""

    def take(self, seconds: float) -> list[float]:
        """Take a turn of some seconds; return the seconds of a call, by samples."""


class Turn(NamedTuple):
    """A function to time.

    call : takes nothing.
    enter : called before each turn, not timed.
    feed : called before each call, or before several short ones, not timed.
    """

    call: Callable[[], object]
    enter: Callable[[], object] | None = None
    feed: Callable[[], object] | None = None

    def take(self, seconds: float) -> list[float]:
        """Take a turn of at least one call; return the seconds of a call, by samples.

        A sample is a call, or the mean of several short ones (`SAMPLE`).
        """
        if self.enter:
            self.enter()
        calls, few, taken = 1, 1, 0.0  # doubled until the calls have taken SETTLE
        begun = time.perf_counter()
        while True:
            taken = sum(self.timed(few) for _ in range(calls // few))
            if time.perf_counter() - begun >= SETTLE:
                break
            calls *= 2
            few = calls if self.feed is None else 1
        at_once = max(1, round(SAMPLE * calls / taken))
        samples: list[float] = []
        end = time.perf_counter() + seconds
        while not samples or time.perf_counter() < end:
            samples.append(self.timed(at_once) / at_once)
        return samples

    def timed(self, calls: int) -> float:
        """Return the seconds of some calls; gradients are fed before them."""
        call, few = self.call, range(calls)
        if self.feed:
            self.feed()
        start = time.perf_counter()
        for _ in few:
            call()
        return time.perf_counter() - start


class Calls(NamedTuple):
    """Seconds of single calls, over the samples of all turns.

    All turns count the same, also one that had few samples because its calls were slow.
    """

    mean: float
    median: float
    p90: float
    p99: float


class Timing(NamedTuple):
    """Seconds of a call.

    median, low, high : median and quartiles, over the rounds, of a turn's mean.
    calls : the same of single calls; None in a file that an older version wrote.
    """

    median: float
    low: float
    high: float
    calls: Calls | None = None

    @classmethod
    def of(cls, rounds: Sequence[Sequence[float]]) -> Timing:
        """Return the timing of a function, of whose samples each round has some."""
        means = [fmean(samples) for samples in rounds]
        low, median, high = np.quantile(means, (0.25, 0.5, 0.75)).tolist()
        every = np.concatenate(rounds)
        weights = np.concatenate([np.full(len(r), 1 / len(r)) for r in rounds])
        ranks = np.quantile(
            every, (0.5, 0.9, 0.99), weights=weights, method="inverted_cdf"
        )
        return cls(median, low, high, Calls(fmean(means), *ranks.tolist()))


def interleave(
    takers: Mapping[str, Taker | Callable[[], object]],
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
    takers : mapping of Taker or callable
        By name.
    rounds, seconds
        The number of turns of each function, and the length of a turn.
    tick
        Called after each round.
    """
    known = {k: Turn(t) if callable(t) else t for k, t in takers.items()}
    order, times = list(known), {name: list[list[float]]() for name in known}
    with collected():
        for _ in range(rounds):
            for name in order:
                times[name].append(known[name].take(seconds))
            order.append(order.pop(0))
            tick()
    return {name: Timing.of(each) for name, each in times.items()}


@contextmanager
def collected() -> Iterator[None]:
    """Collect garbage now, and none until the end."""
    collects = gc.isenabled()
    gc.collect()  # once: with torch and jax it takes a tenth of a second
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
