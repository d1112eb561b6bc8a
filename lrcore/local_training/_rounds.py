"""The meetings of ranks that train apart, and the outer steps that they take there."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from lrcore._core import Commit
from lrcore._shared.domains import NONNEGATIVE, whole
from lrcore._shared.foreign import no_optimizer
from lrcore.distributed import RankLostError, _heads, _words
from lrcore.distributed._agreement import Agreement
from lrcore.distributed._line import line_of
from lrcore.local_training import _meeting, _teams
from lrcore.local_training._codecs import chosen
from lrcore.local_training._lost import Moved, Surviving, left, members
from lrcore.local_training._mean import Mean
from lrcore.local_training._meeting import Head, Meeting
from lrcore.local_training._quorum import Quorum, least
from lrcore.local_training._shared_params import SharedParams, Vectors, check_inner
from lrcore.optimizers.base.optimizer import Optimizer


class Rounds:
    """What a `LocalSGD` shares with the other ranks, and how it changes.

    The arguments are those of `LocalSGD`.

    comm : the ranks that are left.
    shared : the shared params, and their optimizer.
    count : outer steps so far.
    since : steps of this rank since its difference was last averaged.
    last : how the last meeting went; or None.
    means : by dtype, what averages the differences.
    unlike : whether the shared params may differ between ranks.
    """

    def __init__(
        self,
        inner: Optimizer,
        every: int,
        outer: Callable[[Any], Optimizer] | None,
        comm: Any,
        codec: Any,
        quorum: int | None,
        patience: float,
    ) -> None:
        self.comm = _words.known(comm)
        self._line = line_of(self.comm)
        with Agreement(self.comm, "LocalSGD") as agreement:
            if not isinstance(inner, Optimizer):
                raise no_optimizer(inner)
            check_inner(inner)
            self.every = whole("every", every, "an int >= 1", least=1)
            patience = NONNEGATIVE.check("patience", patience)
            self._codec = chosen(codec)
            self.inner = inner
            self.shared = SharedParams(inner, outer)
            self._quorum = Quorum(self.comm, least(quorum, self.comm), patience)
            _teams.check_quorum(inner, self._quorum)
            self.count = self.since = 0
            self.last: Meeting | None = None
            self.unlike = False
            self._moved: Moved | None = None  # kept for ranks that miss it
            self.means = self._new_means()
            self._sent_in_heads = 0
            told = {
                "every": self.every,
                "codec": type(self._codec).__name__,
                "quorum": quorum,
                "comm of inner": _teams.place(inner),
                "params": self.shared.layouts(),
                "outer": repr(self.shared.outer),
            }
            agreement.results(None)  # no rank has an error so far
        _meeting.check_alike(self.comm, told)
        _teams.check(inner, self.comm)
        _meeting.check_start(self.comm, self.shared)
        self._quorum.begin_after(max(_words.of_all(self.comm, self._quorum.told)))

    @property
    def sent_bytes(self) -> int:
        """What this rank has sent to others since construction."""
        return self._sent_in_heads + sum(m.sent_bytes for m in self.means.values())

    def advance(self) -> bool:
        """Count an inner step, and meet if it is time: see `LocalSGD.advance`."""
        self.since += 1
        ready, before = self.since >= self.every, self.count
        while self._quorum.begins(ready=ready):
            try:
                self._meet(has=ready, ending=False)
                return True
            except RankLostError:
                if not self._go_on():
                    raise
            if self.count > before:
                return True
        return False

    def finish(self) -> None:
        """Meet until all ranks are ending."""
        ended = False
        while not ended:
            self._quorum.begins(ready=True, ending=True)
            try:
                ended = self._meet(has=self.since > 0, ending=True)
            except RankLostError:
                if not self._go_on():
                    raise

    def _meet(self, *, has: bool, ending: bool) -> bool:
        """Take part in a meeting; return whether all ranks are ending.

        has : whether the own difference is to be averaged.
        """
        comm, shared, sent = self.comm, self.shared, self.sent_bytes
        begin = time.perf_counter()
        self._line.settle()
        vectors = shared.differences()
        finite = all(np.isfinite(each).all() for each in vectors.values())
        digest = _meeting.digest(shared.arrays) if self.unlike else 0
        own = Head(self.count, has, finite, ending, digest)
        self._line.midway = True
        try:
            found = _meeting.heads(comm, own)
            self._sent_in_heads += _heads.N_BYTES * (comm.size - 1)
            self._quorum.met()
            _meeting.check_rounds(found)
            if any(each.digest for each in found):
                _meeting.check_start(comm, shared)
                self.unlike = False
            _meeting.check_finite(comm, found, shared)
        except ValueError:  # that of all ranks
            self._line.midway = False
            raise
        waited = time.perf_counter()
        included = [bool(each.has) for each in found]
        if any(included):
            means = {
                dtype: self.means[dtype].mean(each, included)
                for dtype, each in vectors.items()
            }
            exchanged = time.perf_counter()
            told = members(comm)
            ranks = tuple(told[r] for r, each in enumerate(included) if each)
            self._move(Moved(means, ranks), vectors)
            self.last = Meeting(
                ranks, waited - begin, exchanged - waited,
                time.perf_counter() - exchanged, self.sent_bytes - sent,
            )  # fmt: skip
        self._line.midway = False
        return all(each.ending for each in found)

    def _move(self, moved: Moved, vectors: Vectors) -> None:
        """Take an outer step, and put the params where it has led.

        vectors : the own differences.
        """
        shared, ahead = self.shared, None
        if members(self.comm)[self.comm.rank] not in moved.included:
            ahead = shared.shaped(vectors)
        shared.step(moved.means)
        commit = Commit(self.inner._plan.lock)
        for i, (p, q) in enumerate(zip(shared.own, shared.arrays, strict=True)):
            commit.copy(p, q if ahead is None else q - ahead[i])
        commit.set(self, "count", self.count + 1)
        if ahead is None:
            commit.set(self, "since", 0)
        if self._survives:
            commit.set(self, "_moved", moved)
        commit.make()
        for each in self.means.values():
            each.keep()

    # --- ranks that are lost --------------------------------------------------------

    @property
    def _survives(self) -> bool:
        """Whether the others go on if a rank is lost."""
        return self._quorum.needed and isinstance(self.comm, Surviving)

    def _go_on(self) -> bool:
        """Leave the ranks that have ended out for good, if this is possible.

        If others had completed the meeting that has failed here, take its outer step.
        """
        comm, quorum = self.comm, self._quorum
        if not self._survives or not isinstance(comm, Surviving):
            return False
        found = left(
            comm, quorum.least, self.count, quorum.told, self._moved, self.shared
        )
        if found.missed is not None:
            vectors = self.shared.differences()
            if members(self.comm)[self.comm.rank] in found.missed.included:
                for dtype, each in self.means.items():
                    each.sent(vectors[dtype])
            self._move(found.missed, vectors)
        self.comm, self._line = found.comm, line_of(found.comm)
        self._quorum = Quorum(self.comm, quorum.least, quorum.patience)
        self._quorum.begin_after(found.told)
        before, self.means = self.means, self._new_means()
        for dtype, each in self.means.items():
            each.error = before[dtype].error
            each.sent_bytes = before[dtype].sent_bytes
        return True

    def _new_means(self) -> dict[np.dtype[Any], Mean]:
        return {
            dtype: Mean(self.comm, self._codec, places.n, dtype)
            for dtype, places in self.shared.places.items()
        }
