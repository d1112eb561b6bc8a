"""Ranks step alone, and meet after some steps: local SGD, DiLoCo."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lrcore._core import Commit
from lrcore._shared.domains import NONNEGATIVE, whole
from lrcore._shared.foreign import no_optimizer
from lrcore.distributed import RankLostError, _words
from lrcore.local_training import _meeting, _saved
from lrcore.local_training._codecs import chosen
from lrcore.local_training._lost import Moved, Surviving, left, members
from lrcore.local_training._mean import Mean
from lrcore.local_training._meeting import Head, Meeting
from lrcore.local_training._quorum import Quorum, least
from lrcore.local_training._shared_params import SharedParams, Vectors, check_inner
from lrcore.optimizers.base import alike
from lrcore.optimizers.base.optimizer import Optimizer


class LocalSGD:
    """Lets ranks train apart, and averages how far they have come every H steps.

    ::

        for batch in batches:                 # of this rank
            local.step(gradients(params, batch))
        local.finish()

    Each rank steps its params p by its own `inner` optimizer.  After H of its steps the
    ranks meet, and the shared params q, from which all had begun, take one step::

        d = mean over ranks of (q - p);   q = outer(q, d);   p = q

    Ranks send their params once in H steps, not in each, so a slow network is enough;
    see the page "Local training" for what it costs in loss.  With ``outer=partial(SGD,
    lr=1.0)``, q is the mean of the ranks' params, as in local SGD.

    Parameters
    ----------
    inner : Optimizer
        The optimizer of this rank.  The params are the same on all ranks at first; the
        ranks' batches differ.
    every : int
        H, the steps between two meetings, >= 1.  DiLoCo has 500.
    outer : callable, optional
        Is called with a copy of the params, and returns the optimizer that steps them:
        any class of lrcore, or ``functools.partial`` of it with hyper-parameters.  Its
        `t` counts outer steps.  Default: ``SGD(lr=0.7, momentum=0.9, nesterov=True)``,
        as in DiLoCo.
    comm : mpi4py.MPI.Intracomm or lrcore.distributed.Comm
        The ranks.
    codec : {"bf16", "int8"} or Codec, optional
        How differences and their mean travel; what it loses is kept, and sent with
        later ones.  Default None: all bits.
    quorum : int, optional
        How many ranks have to have taken H steps for a meeting to begin, from 1 to the
        number of ranks.  The others join when their present step ends; their
        differences are left out, and they go on from the new q with the steps that
        they have taken: ``p = q_new - (q_old - p)``.  Default None: all.
    patience : float
        Seconds for which the quorum waits for the others, >= 0.  Default 0.

    Attributes
    ----------
    inner, outer : Optimizer
        The optimizers; ``outer.lr = ...`` on all ranks.
    every : int
        H.
    rounds : int
        Outer steps so far.
    since : int
        Steps of this rank since its difference was last averaged.
    last : Meeting or None
        How the last meeting went.
    sent_bytes : int
        What this rank has sent to others since construction.

    Raises
    ------
    TypeError, ValueError
        An argument is not valid; or ranks differ in an argument, or in their params: on
        every rank, with the name of the rank and the array.

    Notes
    -----
    It is constructed on all ranks.  A rank meets the others only in `step`, `advance`
    and `finish`.  Without a quorum, the result depends on the ranks' gradients alone:
    differences are added in the order of ranks, in float64, and all ranks have the same
    bits of q.  With one, it depends on who was late.

    A rank sends 2 (ranks - 1) / ranks times the bytes of its params in a meeting (with
    "bf16" half of float32's, with "int8" a quarter).  It keeps one copy of the params,
    the states of `outer`, and with a codec another copy.

    A step that is skipped (`skip_nonfinite`) counts; those that only gather
    (`accumulate`) do not.  An optimizer whose states determine its params
    (Schedule-Free, FTRL, MADGRAD, D-Adaptation of SGD, with Mechanic or Lookahead)
    cannot be `inner`.

    A rank that hangs within a step is waited for until the timeout of `comm`, with a
    quorum, too.

    References
    ----------
    Stich 2019, "Local SGD converges fast and communicates little", algorithm 1;
    Douillard et al. 2023, "DiLoCo", algorithm 1, https://arxiv.org/abs/2311.08105;
    Reddi et al. 2021, "Adaptive federated optimization", for other outer optimizers.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> from functools import partial
    >>> def train(comm):
    ...     p = np.zeros(1)
    ...     inner = lrcore.SGD(p, lr=0.5)
    ...     mean = partial(lrcore.SGD, lr=1.0)
    ...     local = lrcore.LocalSGD(inner, 2, mean, comm=comm)
    ...     for _ in range(2):
    ...         local.step(p - comm.rank)  # each has its optimum at another place
    ...     return p.item()
    >>> lrcore.distributed.run_ranks(3, train, method="fork")  # (0 + 0.75 + 1.5) / 3
    [0.75, 0.75, 0.75]
    """

    def __init__(
        self,
        inner: Optimizer,
        every: int,
        outer: Callable[[Any], Optimizer] | None = None,
        *,
        comm: Any,
        codec: Any = None,
        quorum: int | None = None,
        patience: float = 0.0,
    ) -> None:
        self.comm = _words.checked(comm)
        with alike.Agreement(self.comm) as agreement:
            if not isinstance(inner, Optimizer):
                raise no_optimizer(inner)
            check_inner(inner)
            self.every = whole("every", every, "an int >= 1", least=1)
            patience = NONNEGATIVE.check("patience", patience)
            self._codec = chosen(codec)
            self.inner = inner
            self._shared = SharedParams(inner, outer)
            self._quorum = Quorum(self.comm, least(quorum, self.comm), patience)
            self.rounds = self.since = 0
            self.last: Meeting | None = None
            self._unlike = False  # whether q may differ between ranks
            self._moved: Moved | None = None  # kept for ranks that miss it
            self._means = self._new_means()
            self._sent_in_heads = 0
            told = {
                "every": self.every,
                "codec": type(self._codec).__name__,
                "quorum": quorum,
                "params": self._shared.layouts(),
                "outer": repr(self.outer),
            }
            agreement.results(None)  # no rank has an error so far
        _meeting.check_alike(self.comm, told)
        _meeting.check_start(self.comm, self._shared)
        self._quorum.begin_after(max(_words.of_all(self.comm, self._quorum.told)))

    @property
    def outer(self) -> Optimizer:
        """The optimizer of the shared params."""
        return self._shared.outer

    def __repr__(self) -> str:
        return (
            f"<LocalSGD of {type(self.inner).__name__} by {type(self.outer).__name__} "
            f"every {self.every} steps: rank {self.comm.rank} of {self.comm.size}, "
            f"round {self.rounds}, {self.since} since>"
        )

    @property
    def sent_bytes(self) -> int:
        """What this rank has sent to others since construction."""
        return self._sent_in_heads + sum(m.sent_bytes for m in self._means.values())

    def step(self, grads: Any, loss: float | None = None) -> bool:
        """Step the inner optimizer, then meet the other ranks if it is time.

        Parameters
        ----------
        grads, loss
            As for ``inner.step``.

        Returns
        -------
        bool
            What ``inner.step`` has returned.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As ``inner.step``; or as `advance`, when the inner step is done.
        """
        given = () if loss is None else (loss,)
        applied = self.inner.step(grads, *given)
        self.advance()
        return applied

    def advance(self) -> bool:
        """Count a step that the inner optimizer has taken, and meet if it is time.

        For loops that do not call `step`: after ``scaler.step(inner, grads)``, or
        ``inner.step_one(...)`` (which counts when it ends the step).

        Returns
        -------
        bool
            Whether the ranks have met.

        Raises
        ------
        ValueError
            Params are not finite, or ranks have loaded other checkpoints: on every
            rank.  No params have been changed.
        lrcore.distributed.RankLostError
            A rank has ended, or has not come in time.  No params have been changed.
        """
        plan = self.inner._plan
        if plan.gathered or plan.to_come:
            return False
        self.since += 1
        ready, rounds = self.since >= self.every, self.rounds
        while self._quorum.begins(ready=ready):
            try:
                self._meet(has=ready, ending=False)
                return True
            except RankLostError:
                if not self._go_on():
                    raise
            if self.rounds > rounds:
                return True
        return False

    def finish(self) -> None:
        """Average what is left, and return when all ranks have called this.

        A rank that is done takes part in the meetings of the others until then.  After
        it, all have the same params.

        Raises
        ------
        ValueError, lrcore.distributed.RankLostError
            As `advance`.
        """
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
        comm, shared, sent = self.comm, self._shared, self.sent_bytes
        begin = time.perf_counter()
        vectors = shared.differences()
        finite = all(np.isfinite(each).all() for each in vectors.values())
        digest = _meeting.digest(shared.arrays) if self._unlike else 0
        own = Head(self.rounds, has, finite, ending, digest)
        found = _meeting.heads(comm, own)
        self._sent_in_heads += 8 * len(own) * (comm.size - 1)
        self._quorum.met()
        _meeting.check_rounds(found)
        if any(each.digest for each in found):
            _meeting.check_start(comm, shared)
            self._unlike = False
        _meeting.check_finite(comm, found, shared)
        waited = time.perf_counter()
        included = [bool(each.has) for each in found]
        if any(included):
            means = {
                dtype: self._means[dtype].mean(each, included)
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
        return all(each.ending for each in found)

    def _move(self, moved: Moved, vectors: Vectors) -> None:
        """Take an outer step, and put the params where it has led.

        vectors : the own differences.
        """
        shared, ahead = self._shared, None
        if members(self.comm)[self.comm.rank] not in moved.included:
            ahead = shared.shaped(vectors)
        shared.step(moved.means)
        commit = Commit(self.inner._plan.lock)
        for i, (p, q) in enumerate(zip(shared.own, shared.arrays, strict=True)):
            commit.copy(p, q if ahead is None else q - ahead[i])
        commit.set(self, "rounds", self.rounds + 1)
        if ahead is None:
            commit.set(self, "since", 0)
        if self._survives:
            commit.set(self, "_moved", moved)
        commit.make()
        for each in self._means.values():
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
            comm, quorum.least, self.rounds, quorum.told, self._moved, self._shared
        )
        if found.missed is not None:
            vectors = self._shared.differences()
            if members(self.comm)[self.comm.rank] in found.missed.included:
                for dtype, each in self._means.items():
                    each.sent(vectors[dtype])
            self._move(found.missed, vectors)
        self.comm = found.comm
        self._quorum = Quorum(self.comm, quorum.least, quorum.patience)
        self._quorum.begin_after(found.told)
        before, self._means = self._means, self._new_means()
        for dtype, each in self._means.items():
            each.error = before[dtype].error
            each.sent_bytes = before[dtype].sent_bytes
        return True

    def _new_means(self) -> dict[np.dtype[Any], Mean]:
        return {
            dtype: Mean(self.comm, self._codec, places.n, dtype)
            for dtype, places in self._shared.places.items()
        }

    # --- saving ---------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return copies of what later meetings depend on, but not the inner optimizer.

        Save it with that: ``inner.save(path, extra={"local": local})``, each rank in a
        file of its own.

        Returns
        -------
        dict
            ``every``, ``rounds``, ``since``, ``ranks``, ``names``, ``start`` (q),
            ``errors`` (of the codec), ``outer`` (its ``state_dict()``).
        """
        return _saved.save(self)

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue where the object that gave this ``state_dict()`` was.

        H is that of this object.  The number of ranks may be another one: a further
        rank loads the file of any.  Then the error of the codec's mean begins at 0.

        Parameters
        ----------
        saved : dict
            The result of ``state_dict()``.

        Raises
        ------
        KeyError, TypeError, ValueError
            It does not fit.  In this case, nothing is changed.
        """
        _saved.load(self, saved)


__all__ = ["LocalSGD"]
