"""Peers made for a case: in this process, each on its own arrays."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from lrcore.bench import peers
from lrcore.bench.agreement import disagreement
from lrcore.bench.arrays import random_arrays, shapes
from lrcore.bench.cases import Case, FailedError
from lrcore.bench.clock import Taker, Turn
from lrcore.bench.peers import Arrays, Job, Peer


class Made(NamedTuple):
    """A peer that is ready to take turns.

    taker : takes its turns.
    first : the seconds of its second call, as the first may compile.
    state_bytes, step_bytes : see `Peer.sizes`.
    """

    taker: Taker
    first: float
    state_bytes: int
    step_bytes: int


class Together:
    """Makes the peers of a case in this process.

    Those that do not change gradients share one set of them.
    """

    own_grads = False
    """Whether each peer has its own gradients, even if it does not change them."""

    def __init__(self, case: Case) -> None:
        self.case, self.shapes = case, shapes(case)

    @cached_property
    def start(self) -> tuple[Arrays, Arrays]:
        """The params from which all begin, and the gradients."""
        rng, dtype = np.random.default_rng(0), self.case.dtype
        params = random_arrays(rng, self.shapes, dtype)
        return params, random_arrays(rng, self.shapes, dtype)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def disagreement(
        self, kind: type[Peer], ours: type[Peer], threads: int
    ) -> str | None:
        """Return how a peer's steps differ from ours, or None if they agree."""
        return disagreement(kind, ours, self.case.optimizer, self.case.dtype, threads)

    def make(self, kind: type[Peer], threads: int) -> Made:
        """Make a peer, and call it twice; raise FailedError if it raises."""
        params, grads = self.start
        own = [g.copy() for g in grads] if kind.writes_grads else grads
        copies = [p.copy() for p in params]
        hyper = peers.settings(self.case.optimizer)
        try:
            peer = kind(Job(self.case.optimizer, hyper, copies, own, threads))
            feed = (lambda: peer.feed(grads)) if kind.writes_grads else None
            turn = Turn(peer.step, peer.enter, feed)
            peer.enter()
            turn.timed(1)
            first = turn.timed(1)
        except Exception as error:
            raise FailedError.of(error) from error
        return Made(turn, first, *peer.sizes())

    def begin(self) -> None:
        """All peers are made, and will take turns."""

    def beside(self) -> str:
        """Return what ran beside, as far as the bench knows."""
        return ""
