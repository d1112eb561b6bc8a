"""The range test as a loop that the user writes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import numpy as np

from lrcore._core import Ended
from lrcore._shared.also import Also
from lrcore._shared.domains import FLAG, FRACTION, Reals, choice, real, whole
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.finder._curve import Curve
from lrcore.finder._kept import Kept, Rng, generators
from lrcore.finder._result import RangeTest, ratios
from lrcore.finder._rules import FEWEST
from lrcore.finder._trials import Trials
from lrcore.finder._verdict import conclude
from lrcore.optimizers.base.optimizer import Optimizer

_SPACED: dict[str, Callable[[float, float, int], Array]] = {
    "exponential": np.geomspace,
    "linear": np.linspace,
}

# Quotients and products of two rates in this range neither overflow nor vanish.
_RATE = Reals("a number from 1e-100 to 1e100", 1e-100, 1e100)
_WIDTH = 1.1  # the least ratio of end to start

_TRIAL_SMOOTHING = 0.9


class LRSweep(Ended):
    """A range test in your own loop: it hands out rates, and takes losses.

    ::

        with lrcore.LRSweep(opt) as sweep:
            for lr in sweep:                     # sets the rate of opt, too
                loss, grads = loss_and_grad(next(batches))
                opt.step(grads)
                sweep.record(loss)
        sweep.result.apply(opt)

    `lr_find` is this loop: its documentation lists the parameters and says how the rate
    is found.  At the end of the block and before each trial everything is put back to
    the bit, except your batches: when `begins` is true, start them anew if you can.

    Attributes
    ----------
    begins : bool
        Whether the rate handed out is the first of the sweep or of a trial.
    result : RangeTest
        What the losses so far say; it can be asked for after an exception, too.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain.
    RuntimeError
        The loop is outside the block or is run twice; a rate got no loss, or two; the
        optimizer is in the middle of a step, or its params hold an average.

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
        start: float = 1e-7,
        end: float = 10.0,
        num: int = 100,
        *,
        schedule: Literal["exponential", "linear"] = "exponential",
        smoothing: float = 0.98,
        stop: float = 4.0,
        trial_steps: int = 200,
        rng: Rng | Iterable[Rng] | None = None,
        also: Any = None,
        progress: bool = False,
    ) -> None:
        ratios(opt)  # for its errors
        low, high = _RATE.check("start", start), _RATE.check("end", end)
        if not _WIDTH * low <= high:
            raise ValueError(
                f"end: expected at least {_WIDTH} times start = {low}, found "
                f"{shown(end)}"
            )
        least = FEWEST
        num = whole("num", num, f"an int >= {least}", least=least)
        schedule = choice(*_SPACED).check("schedule", schedule)
        smoothing = FRACTION.check("smoothing", smoothing)
        self._stop = real("stop", stop, "a number > 1")
        if not self._stop > 1:
            raise ValueError(f"stop: expected a number > 1, found {shown(stop)}")
        wanted = f"0, or an int >= {least}"
        self._trial_steps = whole("trial_steps", trial_steps, wanted, least=0)
        if 0 < self._trial_steps < least:
            raise ValueError(
                f"trial_steps: expected {wanted}, found {shown(trial_steps)}"
            )
        self._rngs = generators(rng)
        self._also = Also(also)
        self._opt = opt
        self._sign = -1.0 if opt.param_groups[0]["maximize"] else 1.0
        self._swept = Curve(_SPACED[schedule](low, high, num), smoothing, self._stop)
        self._now = self._swept  # the curve that takes losses: the sweep's or a trial's
        self._trials = Trials(low, high, self._trial_steps)
        self._shown = FLAG.check("progress", progress) and sys.stderr is not None
        self._kept: Kept | None = None
        self._bar: Any = None
        self._errors = np.geterr()
        self._begun = self._waiting = False
        self._cut = "the loop has not come to its end"
        self.begins = False

    @property
    def result(self) -> RangeTest:
        """The result that follows from the losses so far."""
        return conclude(self._swept, self._trials, self._cut)

    # --- the block --------------------------------------------------------------------

    def _check(self) -> None:
        if self._begun or self._kept:
            raise RuntimeError("LRSweep: expected one block a sweep; make another")

    def _begin(self) -> None:
        if self._shown:
            from tqdm.auto import tqdm  # here, as its import takes long

            n = len(self._swept.lrs)
            self._bar = tqdm(desc="range test", total=n, unit=" steps", leave=False)
        self._errors = np.geterr()
        np.seterr(all="ignore")  # a sweep ends in an overflow
        self._kept = Kept(self._opt, self._rngs, self._also)

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
        if interrupt is not None:
            raise interrupt

    def __iter__(self) -> Iterator[float]:
        if self._begun:
            raise RuntimeError("LRSweep: expected one loop a sweep; make another")
        self._block()
        self._begun = True
        return self._hand_out()

    def record(self, loss: float) -> None:
        """Take the loss of a batch at the rate handed out, measured before the step.

        Raises
        ------
        TypeError
            The loss is no scalar.
        RuntimeError
            No rate waits for a loss.
        """
        self._block()
        value = scalar(loss)
        if not self._waiting:
            raise RuntimeError("record: expected one loss for each rate handed out")
        self._waiting = False
        self._now.add(self._sign * value)
        if self._bar is not None:
            self._bar.update()

    # --- the loop ---------------------------------------------------------------------

    def _block(self) -> Kept:
        if self._kept is None:
            raise RuntimeError(
                "LRSweep: expected its loop in `with LRSweep(...) as sweep:`, at whose "
                "end all is put back"
            )
        return self._kept

    def _hand_out(self) -> Iterator[float]:
        yield from self._run("range test")
        self._trials.begin(self._swept)
        while (trial := self._trials.next()) is not None:
            self._block().put_back()
            lr, steps = trial
            self._now = Curve(np.full(steps, lr), _TRIAL_SMOOTHING, self._stop)
            yield from self._run(f"trial of {lr:.2g}")
            self._trials.add(self._now)
        self._cut = ""

    def _run(self, name: str) -> Iterator[float]:
        """Hand out the rates of the present sweep or trial, until it ends."""
        if self._bar is not None:
            self._bar.set_description(name, refresh=False)
            self._bar.reset(len(self._now.lrs))
        self._block().begin()
        self.begins = True
        for lr in self._now.lrs.tolist():
            self._block().set_rate(lr)
            self._waiting = True
            yield lr
            self._block()
            if self._waiting:
                raise RuntimeError(
                    f"record: expected a loss at the rate {lr:g}, found none; call "
                    "sweep.record(loss) in the loop"
                )
            self.begins = False
            if self._now.ended:
                break


def scalar(loss: Any) -> float:
    """Return a loss as a float; refuse an array."""
    if getattr(loss, "ndim", 0):
        raise TypeError(
            f"loss: expected a scalar, found an array of shape {loss.shape}; "
            "take its mean"
        )
    return real("loss", loss, "a scalar")
