"""Ranks step alone, and meet after some steps: local SGD, DiLoCo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lrcore.distributed import Comm
from lrcore.local_training import _saved
from lrcore.local_training._meeting import Meeting
from lrcore.local_training._rounds import Rounds
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
        ranks' batches differ.  It may itself have a `comm`: then several ranks, a team,
        step together, and stand for one of those that train apart.
    every : int
        H, the steps between two meetings, >= 1.  DiLoCo has 500.
    outer : callable, optional
        Is called with a copy of the params, and returns the optimizer that steps them:
        any class of lrcore, or ``functools.partial`` of it with hyper-parameters.  Its
        `t` counts outer steps.  Default: ``SGD(lr=0.7, momentum=0.9, nesterov=True)``,
        as in DiLoCo.
    comm : mpi4py.MPI.Intracomm or lrcore.distributed.Comm
        The ranks.  If `inner` has a `comm`: those that have the same rank in it, in the
        same order for each.
    codec : {"bf16", "int8"} or Codec, optional
        How differences and their mean travel; what it loses is kept, and sent with
        later ones.  Default None: all bits.
    quorum : int, optional
        How many ranks have to have taken H steps for a meeting to begin, from 1 to the
        number of ranks.  The others join when their present step ends; their
        differences are left out, and they go on from the new q with the steps that
        they have taken: ``p = q_new - (q_old - p)``.  Default None: all, as it has to
        be if `inner` has a `comm`.
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
        self._rounds = Rounds(inner, every, outer, comm, codec, quorum, patience)

    @property
    def inner(self) -> Optimizer:
        """The optimizer of this rank."""
        return self._rounds.inner

    @property
    def outer(self) -> Optimizer:
        """The optimizer of the shared params."""
        return self._rounds.shared.outer

    @property
    def comm(self) -> Comm:
        """The ranks."""
        return self._rounds.comm

    @property
    def every(self) -> int:
        """The steps between two meetings."""
        return self._rounds.every

    @property
    def rounds(self) -> int:
        """Outer steps so far."""
        return self._rounds.count

    @property
    def since(self) -> int:
        """Steps of this rank since its difference was last averaged."""
        return self._rounds.since

    @property
    def last(self) -> Meeting | None:
        """How the last meeting went."""
        return self._rounds.last

    def __repr__(self) -> str:
        return (
            f"<LocalSGD of {type(self.inner).__name__} by {type(self.outer).__name__} "
            f"every {self.every} steps: rank {self.comm.rank} of {self.comm.size}, "
            f"round {self.rounds}, {self.since} since>"
        )

    @property
    def sent_bytes(self) -> int:
        """What this rank has sent to others since construction."""
        return self._rounds.sent_bytes

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
        return self._rounds.advance()

    def finish(self) -> None:
        """Average what is left, and return when all ranks have called this.

        A rank that is done takes part in the meetings of the others until then.  After
        it, all have the same params.

        Raises
        ------
        ValueError, lrcore.distributed.RankLostError
            As `advance`.
        """
        self._rounds.finish()

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
        return _saved.save(self._rounds)

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
        _saved.load(self._rounds, saved)


__all__ = ["LocalSGD"]
