"""The range test as a loop that the user writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import isfinite
from typing import Any, Literal

import numpy as np

from lrcore._core import Ended
from lrcore._shared.domains import real
from lrcore.finder._curve import Curve
from lrcore.finder._guess import usual
from lrcore.finder._horizon import Schedule
from lrcore.finder._kept import Kept, Progress, Rng
from lrcore.finder._race import Leg, Race
from lrcore.finder._racer import Racer
from lrcore.finder._range import LOWER, LOWEST
from lrcore.finder._ratios import ratios
from lrcore.finder._result import RangeTest
from lrcore.finder._rules import readable
from lrcore.finder._settings import checked
from lrcore.finder._trained import Trained
from lrcore.finder._verdict import conclude
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
        told = self._told = checked(
            "LRSweep", start, end, num, spacing, smoothing, stop, trial_steps, schedule,
            total, score_every, rng, also, progress,
        )  # fmt: skip
        self._opt = opt
        self._sign = -1.0 if opt.param_groups[0]["maximize"] else 1.0
        self._swept = Curve(told.lrs, told.smoothing, told.stop)
        self._spent = 0  # steps of sweeps that began too high
        self._race = self._new_race()
        self._take: Callable[[float], None] = self._swept.add
        self._racer: Racer | None = None  # the one whose params these are
        self._progress: dict[Racer, Progress] = {}
        self._trained: Trained | None = None
        self._kept: Kept | None = None
        self._bar: Any = None
        self._errors = np.geterr()
        self._begun = self._waiting = False
        self._cut = "the loop has not come to its end"
        self._sweeps = True  # whether the sweep goes on
        self._lowest = 0  # the lowest number of a batch that is still wanted
        self.at = 0
        self.begins = False

    @property
    def result(self) -> RangeTest:
        """The result that follows from the losses so far."""
        return conclude(self._swept, self._race, self._cut, self._trained, self._spent)

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
        self._record(scalar(loss))

    def _record(self, loss: float) -> None:
        self._take(self._sign * loss)
        self._waiting = False
        if self._bar is not None:
            self._bar.update()

    # --- the block --------------------------------------------------------------------

    def _check(self) -> None:
        if self._begun or self._kept:
            raise RuntimeError("LRSweep: expected one block a sweep; make another")

    def _begin(self) -> None:
        if self._told.progress:
            from tqdm.auto import tqdm  # here, as its import takes long

            n = len(self._swept.lrs)
            self._bar = tqdm(desc="range test", total=n, unit=" steps", leave=False)
        self._errors = np.geterr()
        np.seterr(all="ignore")  # a sweep ends in an overflow
        self._kept = Kept(self._opt, self._told.rngs, self._told.also)

    def _end(self) -> None:
        interrupt = None
        try:
            while self._kept:  # again after a Ctrl-C, until everything is put back
                try:
                    self._kept.put_back()
                    self._kept = None
                except KeyboardInterrupt as later:
                    interrupt = later
        finally:
            np.seterr(**self._errors)
            if self._bar is not None:
                self._bar.close()
            self._waiting = False
        if self._trained is not None:
            self._trained.seal()
        if interrupt is not None:
            raise interrupt

    def _block(self) -> Kept:
        if self._kept is None:
            raise RuntimeError(
                "LRSweep: expected its loop in `with LRSweep(...) as sweep:`, at whose "
                "end all is put back"
            )
        return self._kept

    # --- the loop ---------------------------------------------------------------------

    def __iter__(self) -> Iterator[float]:
        if self._begun:
            raise RuntimeError("LRSweep: expected one loop a sweep; make another")
        self._block()
        self._begun = True
        return self._hand_out()

    def _hand_out(self) -> Iterator[float]:
        self._block().begin()
        yield from self._sweep()
        while self._told.may_lower and self._begin_lower():
            yield from self._sweep()
        self._sweeps = False
        for leg in self._race.legs(self._swept, self._told.stop):
            yield from self._run(leg)
        self._keep_winner()
        self._cut = ""

    def _new_race(self) -> Race:
        lrs, told = self._swept.lrs, self._told
        return Race(
            float(lrs[0]), None if told.may_raise else float(lrs[-1]), told.steps,
            told.longest, told.stride, bool(told.shares), usual(self._opt),
        )  # fmt: skip

    def _sweep(self) -> Iterator[float]:
        """Hand out the rates of the sweep, until it ends."""
        self._show("range test", len(self._swept.lrs))
        self._take, self.at = self._swept.add, -2
        yield from self._steps(self._swept.lrs.tolist(), 0, lambda: self._swept.ended)

    def _begin_lower(self) -> bool:
        """Prepare a sweep at lower rates, if this one diverged before it told anything.

        The next one ends at the rate where this one did.
        """
        swept, told = self._swept, self._told
        low = float(swept.lrs[0]) * LOWER
        finite = any(map(isfinite, swept.losses))
        if not swept.ended or not finite or low < LOWEST or readable(swept):
            return False
        self._spent += len(swept.losses)
        lrs = np.geomspace(low, swept.lrs[len(swept.losses) - 1], len(swept.lrs))
        self._swept = Curve(lrs, told.smoothing, told.stop)
        self._race = self._new_race()
        self._block().put_back()
        self._block().begin()
        return True

    def _run(self, leg: Leg) -> Iterator[float]:
        """Hand out the rates of a leg, until it ends or the racer fails."""
        racer, first = leg.racer, len(leg.racer.losses)
        lr = self._race.rate_of(racer)
        self._show(f"trial of {lr:.2g}" if lr else "first loss", leg.end - first)
        self._turn_to(racer)
        self._lowest, self._take = leg.lowest, racer.losses.append
        rates = [lr * share for share in self._told.shares[first : leg.end]]
        rates = rates or [lr] * (leg.end - first)
        yield from self._steps(rates, first, racer.fails)

    def _steps(
        self, lrs: list[float], first: int, ended: Callable[[], Any]
    ) -> Iterator[float]:
        """Hand out these rates, for batches from number `first` on, until `ended`."""
        self.begins = self.at + 1 != first
        now = None
        for self.at, lr in enumerate(lrs, first):
            if lr != now:
                self._block().set_rate(lr)
                now = lr
            self._waiting = True
            yield lr
            if self._waiting or self._kept is None:
                self._block()
                raise RuntimeError(
                    f"record: expected a loss at the rate {lr:g}, found none; call "
                    "sweep.record(loss) in the loop"
                )
            self.begins = False
            if ended():
                return

    def _turn_to(self, racer: Racer) -> None:
        """Keep what the present racer has learnt, and go on with another one."""
        if racer is self._racer:
            return
        kept, now = self._block(), self._keep()
        for other in [other for other in self._progress if other.out]:
            del self._progress[other]
        if racer in self._progress:
            kept.put(self._progress.pop(racer), now)
        else:
            kept.put_back(now)
            kept.begin()
        self._racer = racer

    def _keep(self) -> Progress | None:
        """Keep what the present racer has learnt, if it is still in."""
        if self._racer is None or self._racer.out:
            return None
        now = self._progress[self._racer] = self._block().take()
        return now

    def _keep_winner(self) -> None:
        """Keep what the winner has learnt, for `RangeTest.adopt`."""
        winner = self._race.winner
        if winner is self._racer:
            self._keep()
        if winner in self._progress and not self._told.shares:
            self._trained = Trained(
                self._block(), self._progress[winner], len(winner.losses),
                self._race.rate_of(winner),
            )  # fmt: skip
        self._progress.clear()

    def _show(self, name: str, steps: int) -> None:
        if self._bar is not None:
            self._bar.set_description(name, refresh=False)
            self._bar.reset(steps)


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
