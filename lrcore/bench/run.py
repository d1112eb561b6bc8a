"""A run: each case is timed for all peers whose steps agree with ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isqrt
from typing import Any

import numpy as np

import lrcore
from lrcore._shared.types import Array
from lrcore.bench import peers
from lrcore.bench.cases import Case, LeftOutError, Result, Run
from lrcore.bench.clock import Turn, interleave, timed
from lrcore.bench.machine import free_memory, machine
from lrcore.bench.peers import Arrays, Job, Peer, Traffic
from lrcore.bench.whole import TASKS

SLOWEST = 0.5
"""A peer whose call takes more seconds is left out: turns would be too rare."""

MEMORY_SHARE = 0.8
"""The fraction of the free memory that a case may use."""

CHECKED_STEPS = 5
TOLERANCE = {"float32": 1e-3, "float64": 1e-5}
"""Largest difference over the largest change in those steps.  Causes are float32's
rounding of p, and an eps that is added before or after the bias correction."""


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
        except LeftOutError as reason:
            left_out[str(case)] = str(reason)
            tick(str(case), rounds + 1)
    return Run(machine(), {"rounds": rounds, "seconds": seconds}, results, left_out)


def _result(
    case: Case,
    wanted: Sequence[type[Peer]],
    rounds: int,
    seconds: float,
    tick: Tick,
    agreed: dict[Any, str | None],
) -> Result:
    shapes = _shapes(case)
    kinds, left_out = _contestants(case, wanted, agreed, tick)
    _check_memory(case, list(kinds.values()))
    rng = np.random.default_rng(0)
    params, grads = _network(rng, shapes, case.dtype), _network(rng, shapes, case.dtype)
    made: dict[str, Peer] = {}
    turns: dict[str, Turn] = {}
    for name, (kind, threads) in kinds.items():
        own = [g.copy() for g in grads] if kind.writes_grads else grads
        hyper = peers.settings(case.optimizer)
        copies = [p.copy() for p in params]
        try:
            peer = kind(Job(case.optimizer, hyper, copies, own, threads))
            feed = _feeder(peer, grads) if kind.writes_grads else None
            turn = Turn(peer.step, peer.enter, feed)
            each = _first_calls(turn)
        except Exception as error:
            if not made:  # lrcore's own failure
                raise
            left_out[name] = _failed(error)
            continue
        if made and each > SLOWEST:
            left_out[name] = f"a call takes {each:.1f} s, too long to take turns"
            continue
        made[name], turns[name] = peer, turn
    ours = next(iter(made.values()))
    assert isinstance(ours, peers.Lrcore)
    opt = ours.opt
    state_bytes = sum(a.nbytes for state in opt.state for a in state.values())
    step_bytes = peers.moved(params, opt.state)
    tick(str(case), 1)
    times = interleave(turns, rounds, seconds, lambda: tick(str(case), 1))
    return Result(case, times, left_out, state_bytes, step_bytes)


def _failed(error: Exception) -> str:
    return f"it failed: {type(error).__name__}: {error}"


def _feeder(peer: Peer, grads: Arrays) -> Callable[[], None]:
    return lambda: peer.feed(grads)


def _first_calls(turn: Turn) -> float:
    """Return the seconds of the second call, as the first may compile."""
    if turn.enter:
        turn.enter()
    timed(turn, 1, 1)
    return timed(turn, 1, 1)


Contestants = dict[str, tuple[type[Peer], int]]
"""By name, the class of a peer and its number of threads."""


def _contestants(
    case: Case,
    wanted: Sequence[type[Peer]],
    agreed: dict[Any, str | None],
    tick: Tick,
) -> tuple[Contestants, dict[str, str]]:
    """Return the peers of a case, and the reasons why others are left out."""
    here: Contestants = {}
    left_out: dict[str, str] = {}
    ours, *others = TASKS[case.task]
    others += [*wanted, Traffic] if case.task == "step" else []
    here[ours.name] = (ours, case.threads)
    for kind in others:
        reason = kind.why_not(case.optimizer, case.dtype, case.threads)
        if reason is None and kind.checked:
            key = (kind, ours, case.optimizer, case.dtype, case.threads)
            if key not in agreed:
                tick(f"checking {kind.name}", 0)
                agreed[key] = disagreement(kind, ours, *key[2:])
            reason = agreed[key]
        if reason is not None:
            left_out[kind.name] = reason
            continue
        here[kind.name] = (kind, case.threads)
        if kind.also_one_thread and case.threads > 1:
            here[f"{kind.name}, 1 thread"] = (kind, 1)
    return here, left_out


def disagreement(
    kind: type[Peer], ours: type[Peer], optimizer: str, dtype: str, threads: int
) -> str | None:
    """Return how a peer's steps differ from ours, or None if they agree.

    Both take the same few steps, each with other gradients.
    """
    rng = np.random.default_rng(1)
    hyper = peers.settings(optimizer)
    if not kind.decays and "weight_decay" in hyper:
        hyper["weight_decay"] = 0.0
    shapes = [(24, 40), (40, 24), (8, 8)]
    start = _network(rng, shapes, dtype)
    try:
        both = [
            each(
                Job(
                    optimizer,
                    hyper,
                    [p.copy() for p in start],
                    [np.zeros_like(p) for p in start],
                    threads,
                )
            )
            for each in (ours, kind)
        ]
        for _ in range(CHECKED_STEPS):
            grads = _network(rng, shapes, dtype)
            for peer in both:
                peer.enter()
                peer.feed(grads)
                peer.step()
    except Exception as error:  # the other peers can be timed without it
        return _failed(error)
    a, b = ([*map(np.asarray, peer.results())] for peer in both)
    if len(a) != len(b) or any(x.shape != y.shape for x, y in zip(a, b, strict=True)):
        return "its results have other shapes"
    change = max(abs(x - p).max() for x, p in zip(a, start, strict=False))
    off = max(abs(x - y).max() for x, y in zip(a, b, strict=True)) / change
    if not off <= TOLERANCE[dtype]:
        return f"its update differs from ours, by {off:.1g} of the step"
    return None


def _network(
    rng: np.random.Generator, shapes: Iterable[tuple[int, ...]], dtype: str
) -> list[Array]:
    """Return arrays with magnitudes in [0.5, 2) and random signs."""
    return [_signed(rng, shape, dtype) for shape in shapes]


def _signed(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    values: Array = rng.random(shape, dtype=np.dtype(dtype).type)
    values *= 3
    values -= 1.5
    values += np.copysign(values.dtype.type(0.5), values)
    return values


def _shapes(case: Case) -> list[tuple[int, int]]:
    """Return the shapes of matrices that are nearly square."""
    if case.elements < case.arrays:
        raise LeftOutError(f"fewer elements than {case.arrays} arrays")
    each, more = divmod(case.elements, case.arrays)
    sizes = [each + 1] * more + [each] * (case.arrays - more)
    return [_near_square(n) for n in sizes]


def _near_square(n: int) -> tuple[int, int]:
    """Return the factors of n that are nearest to each other, the smaller first.

    >>> _near_square(1000)
    (25, 40)
    """
    rows = next(k for k in range(isqrt(n), 0, -1) if n % k == 0)
    return rows, n // rows


def _check_memory(case: Case, kinds: Sequence[tuple[type[Peer], int]]) -> None:
    """Refuse a case whose peers do not all fit into memory."""
    probe = getattr(lrcore, case.optimizer)(
        np.ones((4, 4)), **peers.settings(case.optimizer)
    )
    n_states = len(peers.like_p(np.ones((4, 4)), probe.state[0]))
    most = max(kind.scratch for kind, _ in kinds)
    arrays = 2 + most + sum(1 + n_states + kind.writes_grads for kind, _ in kinds)
    need = arrays * case.elements * np.dtype(case.dtype).itemsize
    free = MEMORY_SHARE * free_memory()
    if need > free:
        raise LeftOutError(
            f"{len(kinds)} at a time need {need / 1e9:.1f} GB of memory, and "
            f"{free / 1e9:.1f} are to be had; name fewer with --peers"
        )
