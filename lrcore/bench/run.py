"""A run: each case is timed for all peers whose steps agree with ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

import lrcore
from lrcore.bench import limits, peers
from lrcore.bench.apart import Apart
from lrcore.bench.cases import Case, FailedError, LeftOutError, Result, Run
from lrcore.bench.clock import interleave
from lrcore.bench.contest import Made, Together
from lrcore.bench.machine import free_memory, machine
from lrcore.bench.peers import LrcoreOneThread, LrcoreOpenMP, Peer, Traffic
from lrcore.bench.whole import TASKS, LrcoreWhole, TrafficWhole

SLOWEST = 0.5
"""A peer whose call takes more seconds is left out: turns would be too rare."""

MEMORY_SHARE = 0.8
"""The fraction of the free memory that a case may use."""

Tick = Callable[[str, int], object]
"""Takes the name of the present work, and the number of rounds just completed."""


def run(
    cases: Iterable[Case],
    wanted: Sequence[type[Peer]] = peers.PEERS,
    rounds: int = 9,
    seconds: float = 0.03,
    tick: Tick = lambda what, n: None,
) -> Run:
    """Time each case by lrcore, the wanted peers and the limit.

    Parameters
    ----------
    cases
        The cases to time.
    wanted
        The peers of a bare step.
    rounds, seconds
        See `interleave`.
    tick : Tick
        Called for the progress, with ``rounds + 1`` rounds in total for each case.
    """
    results, left_out = [], {}
    agreed: dict[Any, str | None] = {}
    for case in cases:
        tick(str(case), 0)
        try:
            results.append(_result(case, wanted, rounds, seconds, tick, agreed))
        except (LeftOutError, FailedError) as reason:
            left_out[str(case)] = str(reason)
            tick(str(case), rounds + 1)
    settings = {"rounds": rounds, "seconds": seconds}
    dtypes = {result.case.dtype for result in results}
    dividers = {dtype: limits.measured(dtype) for dtype in sorted(dtypes)}
    return Run(machine(), settings, results, left_out, dividers)


def _result(
    case: Case,
    wanted: Sequence[type[Peer]],
    rounds: int,
    seconds: float,
    tick: Tick,
    agreed: dict[Any, str | None],
) -> Result:
    with (Together if case.neighbours is None else Apart)(case) as hall:
        kinds, left_out = _contestants(hall, wanted, agreed, tick)
        _check_memory(hall, [kind for kind, _ in kinds.values()])
        made: dict[str, Made] = {}
        for name, (kind, threads) in kinds.items():
            try:
                peer = hall.make(kind, threads)
            except FailedError as error:
                if not made:  # lrcore's own failure
                    raise error.__cause__ or error from None
                left_out[name] = f"it failed: {error}"
                continue
            if made and peer.first > SLOWEST:
                left_out[name] = (
                    f"a call takes {peer.first:.1f} s, too long to take turns"
                )
                continue
            made[name] = peer
        hall.begin()
        tick(str(case), 1)
        takers = {name: peer.taker for name, peer in made.items()}
        times = interleave(takers, rounds, seconds, lambda: tick(str(case), 1))
        ours = next(iter(made.values()))
        moved = made[Traffic.name].step_bytes if Traffic.name in made else 0
        return Result(case, times, left_out, *ours[2:], moved, hall.beside())


Contestants = dict[str, tuple[type[Peer], int]]
"""By name, the class of a peer and its number of threads."""


def _contestants(
    hall: Together | Apart,
    wanted: Sequence[type[Peer]],
    agreed: dict[Any, str | None],
    tick: Tick,
) -> tuple[Contestants, dict[str, str]]:
    """Return the peers of a case, and the reasons why others are left out."""
    here: Contestants = {}
    left_out: dict[str, str] = {}
    case = hall.case
    ours, *others = TASKS[case.task]
    if case.task == "step":
        if case.neighbours is not None and case.threads > 1:
            others += [LrcoreOneThread, LrcoreOpenMP]
        others += wanted
    traffic = TrafficWhole if ours is LrcoreWhole else Traffic
    others.append(traffic)
    here[ours.name] = (ours, case.threads)
    for kind in others:
        reason = kind.why_not(case.optimizer, case.dtype, case.threads)
        if reason is None and kind.checked:
            key = (kind, ours, case.optimizer, case.dtype, case.threads)
            if key not in agreed:
                tick(f"checking {kind.name}", 0)
                agreed[key] = hall.disagreement(kind, ours, case.threads)
            reason = agreed[key]
        if reason is not None:
            left_out[kind.name] = reason
            continue
        here[kind.name] = (kind, case.threads)
        if kind.also_one_thread and case.threads > 1:
            here[f"{kind.name}, 1 thread"] = (kind, 1)
    return here, left_out


def _check_memory(hall: Together | Apart, kinds: Sequence[type[Peer]]) -> None:
    """Refuse a case whose peers do not all fit into memory."""
    case = hall.case
    probe = getattr(lrcore, case.optimizer)(
        np.ones((4, 4)), **peers.settings(case.optimizer)
    )
    n_states = len(peers.like_p(np.ones((4, 4)), probe.state[0]))
    most = max(kind.scratch for kind in kinds)
    own = sum(hall.own_grads or kind.writes_grads for kind in kinds)
    arrays = 2 + most + len(kinds) * (1 + n_states) + own
    need = arrays * case.elements * np.dtype(case.dtype).itemsize
    free = MEMORY_SHARE * free_memory()
    if need > free:
        raise LeftOutError(
            f"{len(kinds)} at a time need {need / 1e9:.1f} GB of memory, and "
            f"{free / 1e9:.1f} are to be had; name fewer with --peers"
        )
