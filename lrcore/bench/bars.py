"""Presets of cases, and the ratios that are asked of each."""

from __future__ import annotations

from typing import NamedTuple

from lrcore.bench.cases import Case, Result
from lrcore.bench.clock import Timing
from lrcore.bench.peers import Traffic


class Asked(NamedTuple):
    """A bound on the ratio of a peer's time to ours.

    who : the name of the peer; its fastest variant counts.
    bound : the least ratio, or the largest if `at_most`.
    """

    who: str
    bound: float
    at_most: bool = False


class Found(NamedTuple):
    """The ratio that was found; who is None if no peer of the name was timed."""

    who: str | None
    seconds: float
    ratio: float
    met: bool


class Bar(NamedTuple):
    """A case, and the ratios that are asked of it."""

    case: Case
    asked: tuple[Asked, ...]


def bars(threads: int) -> list[Bar]:
    """Return the preset for a number of threads; the bounds are meant for two."""

    def bar(
        elements: int,
        arrays: int,
        *asked: Asked,
        task: str = "step",
        optimizer: str = "AdamW",
        dtype: str = "float32",
    ) -> Bar:
        case = Case(task, optimizer, dtype, elements, arrays, threads)
        return Bar(case, asked)

    million, large = 1_000_000, 30_000_000
    fused, numba, thinc = "torch fused", "numba", "thinc"
    return [
        bar(1000, 1, Asked(thinc, 4), Asked(fused, 30)),
        bar(10_000, 100, Asked(thinc, 15), Asked(fused, 60)),
        bar(million, 1000, Asked(fused, 4)),
        bar(million, 100, Asked(fused, 4), Asked(numba, 3)),
        bar(million, 1, Asked(fused, 1.6), Asked(numba, 1)),
        bar(large, 1, Asked(fused, 1), Asked(Traffic.name, 0.95)),
        bar(million, 1, Asked(fused, 1.3), optimizer="Adam", dtype="float64"),
        bar(million, 1, Asked("torch", 5), task="whole step"),
        bar(million, 100, Asked("torch", 5), task="whole step"),
        bar(large, 1, Asked("torch", 1.4), task="whole step"),
        bar(large, 1, Asked("lrcore, clipped", 1.25, at_most=True), task="clip"),
        bar(million, 1, Asked("lrcore, telemetry", 1.15, at_most=True),
            task="telemetry"),
        bar(large, 1, Asked("lrcore, telemetry", 1.03, at_most=True),
            task="telemetry"),
        bar(million, 1, Asked("subnormal state", 1.05, at_most=True),
            task="subnormal"),
        *(
            bar(elements, arrays, Asked("lrcore, 1 thread", 0.95), task="threads")
            for arrays in (1, 100, 1000)
            for elements in (10**k for k in range(2, 8))
            if elements >= 10 * arrays and threads > 1
        ),
    ]  # fmt: skip


def beside(neighbours: str, threads: int) -> list[Bar]:
    """Return the preset beside neighbours: threads must not make a step much slower."""
    return [
        Bar(
            Case("step", "AdamW", "float32", elements, 1, threads, neighbours),
            (Asked("lrcore, 1 thread", 1 / 1.15),),
        )
        for elements in (100_000, 1_000_000)
        if threads > 1
    ]


def that_counts(case: Case, t: Timing) -> float:
    """Return the time that ratios compare: the median of the turns' means.

    Beside neighbours it is the mean of all calls, as few that wait take most time.
    """
    return t.median if case.neighbours is None or t.calls is None else t.calls.mean


def found(result: Result, asked: Asked) -> Found:
    """Compare a result with a bound."""
    times = {k: that_counts(result.case, t) for k, t in result.times.items()}
    ours = next(iter(times.values()))
    best = fastest(result, asked.who)
    if best is None:
        return Found(None, float("nan"), float("nan"), False)
    seconds = times[best]
    ratio = seconds / ours
    met = ratio <= asked.bound if asked.at_most else ratio >= asked.bound
    return Found(best, seconds, ratio, met)


def fastest(result: Result, who: str | None = None) -> str | None:
    """Return the fastest variant of a peer, or the fastest peer; None if there is none.

    The limit, which only moves memory, is not a peer.
    """
    _, *others = result.times
    if who is None:
        few = [name for name in others if not name.startswith(Traffic.name)]
    else:
        few = [name for name in others if name == who or name.startswith(f"{who}, ")]
    return min(
        few, key=lambda name: that_counts(result.case, result.times[name]), default=None
    )
