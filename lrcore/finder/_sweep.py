"""The range test as a loop that the user writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np

from lrcore._core import Ended
from lrcore._shared.domains import real
from lrcore.finder._bar import Bar
from lrcore.finder._horizon import Schedule
from lrcore.finder._kept import Kept
from lrcore.finder._random import Rng
from lrcore.finder._ratios import ratios
from lrcore.finder._result import RangeTest
from lrcore.finder._search import Search, Turn
from lrcore.finder._settings import checked
from lrcore.optimizers.base.optimizer import Optimizer


class LRSweep(Ended):
    """A range test in your own loop: it hands out rates, and takes losses.

    ::

        with lrcore.LRSweep(opt) as sweep:
            for lr in sweep:                     # sets the rate of opt, too
                loss, grads = loss_and_grad(batches[sweep.at % len(batches)])
                opt.step(grads)
                sweep.record(loss)
        sweep.result.apply(opt)

    `lr_find` is this loop: its documentation lists the parameters and says how the rate
    is found.  The trials take turns on the same params, and each is to see the same
    batches.  At the end of the block everything is put back to the bit.

    Attributes
    ----------
    at : int
        The number of the batch to use now, from 0.  The sweep goes from 0 to `num` - 1.
        Each trial begins at 0, too; after a turn of another one, it goes on where it
        was.
    begins : bool
        Whether `at` does not follow the one before: begin your batches anew there, as
        far as you can.
    result : RangeTest
        What the losses so far say; it can be asked for after an exception, too.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain.
    RuntimeError
        The loop is outside the block or is run twice; a rate got no loss, or two; the
        optimizer is in the middle of a step, or its params hold an average.

    Notes
    -----
    Some rates handed out are 0, to measure the loss of the first params.  `opt` skips
    steps whose gradients are not finite, as if it had ``skip_nonfinite=True``.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> w = np.array([1.0, -2.0])
    >>> opt = lrcore.SGD(w, lr=0.1)
    >>> with lrcore.LRSweep(opt, trial_steps=0) as sweep:
    ...     for lr in sweep:
    ...         sweep.record(w @ w / 2)
    ...         _ = opt.step(w.copy())
    >>> w, opt.lr
    (array([ 1., -2.]), 0.1)
    >>> sweep.result.reason
    'no divergence up to 10; still falling there: raise end'
    """

    def __init__(
        self,
        opt: Optimizer,
        start: float | None = None,
        end: float | None = None,
        num: int = 100,
        *,
        spacing: Literal["exponential", "linear"] = "exponential",
        smoothing: float = 0.98,
        stop: float = 4.0,
        trial_steps: int = 300,
        schedule: Schedule | None = None,
        total: int | None = None,
        score_every: int = 1,
        rng: Rng | Iterable[Rng] | None = None,
        also: Any = None,
        progress: bool = False,
    ) -> None:
        ratios(opt)  # for its errors
        self._told = checked(
            "LRSweep", start, end, num, spacing, smoothing, stop, trial_steps, schedule,
            total, score_every, rng, also, progress,
        )  # fmt: skip
        self._search = Search(opt, self._told)
        self._sign = -1.0 if opt.param_groups[0]["maximize"] else 1.0
        self._bar: Bar | None = None
        self._errors = np.geterr()
        self._begun = False
        self._turn: Turn | None = None
        self._waiting = False  # for a loss
        self._over = False  # the turn
        self.at = 0
        self.begins = False

    @property
    def result(self) -> RangeTest:
        """The result that follows from the losses so far."""
        return self._search.result

    def record(self, loss: float) -> None:
        """Take the loss of a batch at the rate handed out, measured before the step.

        A loss that is not finite is left out; three in a row end a sweep or a trial.

        Raises
        ------
        TypeError
            The loss is no scalar.
        RuntimeError
            No rate waits for a loss.
        """
        if not self._waiting:
            self._block()
            raise RuntimeError("record: expected one loss for each rate handed out")
        value, turn = self._sign * scalar(loss), self._turn
        assert turn is not None
        self._over = turn.take(value)
        self._waiting = False
        if self._bar is not None:
            self._bar.step()

    # --- the block --------------------------------------------------------------------

    def _check(self) -> None:
        if self._begun or self._search.kept:
            raise RuntimeError("LRSweep: expected one block a sweep; make another")

    def _begin(self) -> None:
        if self._told.progress:
            self._bar = Bar(len(self._told.lrs), self._told.steps)
        self._errors = np.geterr()
        np.seterr(all="ignore")  # a sweep ends in an overflow
        self._search.begin()

    def _end(self) -> None:
        interrupt = None
        try:
            while self._search.kept:  # again after a Ctrl-C, until all is put back
                try:
                    self._search.put_back()
                except KeyboardInterrupt as later:
                    interrupt = later
        finally:
            np.seterr(**self._errors)
            if self._bar is not None:
                self._bar.close()
            self._waiting = False
        self._search.seal()
        if interrupt is not None:
            raise interrupt

    def _block(self) -> Kept:
        if self._search.kept is None:
            raise RuntimeError(
                "LRSweep: expected its loop in `with LRSweep(...) as sweep:`, at whose "
                "end all is put back"
            )
        return self._search.kept

    # --- the loop ---------------------------------------------------------------------

    def __iter__(self) -> Iterator[float]:
        if self._begun:
            raise RuntimeError("LRSweep: expected one loop a sweep; make another")
        self._block()
        self._begun = True
        return self._hand_out()

    def _turns(self) -> Iterator[Turn]:
        """Hand out turns, and show them."""
        for turn in self._search.turns():
            if self._bar is not None:
                self._bar.turn(turn.name, len(turn.rates))
            yield turn
        if self._bar is not None:
            self._bar.end()

    def _hand_out(self) -> Iterator[float]:
        for turn in self._turns():
            self._turn = turn
            self.begins = turn.sweeps or self.at + 1 != turn.first
            for self.at, lr in enumerate(turn.rates, turn.first):
                kept = self._block()
                if not turn.constant:
                    kept.set_rate(lr)
                self._waiting = True
                yield lr
                if self._waiting or self._search.kept is None:
                    self._block()
                    raise RuntimeError(
                        f"record: expected a loss at the rate {lr:g}, found none; call "
                        "sweep.record(loss) in the loop"
                    )
                self.begins = False
                if self._over:
                    break


def scalar(value: Any, name: str = "loss") -> float:
    """Return a loss or a score as a float; refuse an array."""
    if isinstance(value, float):
        return float(value)
    if getattr(value, "ndim", 0):
        raise TypeError(
            f"{name}: expected a scalar, found an array of shape {value.shape}; "
            "take its mean"
        )
    return real(name, value, "a scalar")
