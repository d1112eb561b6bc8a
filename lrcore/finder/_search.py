"""The course of a range test: a sweep, then trials that take turns on the same params.

This module says which rates come next, and keeps what each trial has learnt while
others are on turn.  The loops that take the steps are in `_sweep` and `_loop`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite
from typing import NamedTuple

import numpy as np

from lrcore.finder._curve import Curve
from lrcore.finder._guess import usual
from lrcore.finder._kept import Kept, Progress
from lrcore.finder._race import Leg, Race
from lrcore.finder._racer import Racer
from lrcore.finder._range import LOWER, LOWEST
from lrcore.finder._result import RangeTest
from lrcore.finder._rules import readable
from lrcore.finder._settings import Settings
from lrcore.finder._trained import Trained
from lrcore.finder._verdict import conclude
from lrcore.optimizers.base.optimizer import Optimizer


class Turn(NamedTuple):
    """Steps to take now.

    name : what they are, for the user.
    rates : of the steps.
    first : the number of the first step's batch.
    lowest : the lowest number of a batch that is still wanted.
    sweeps : whether they belong to the sweep.
    constant : whether the rates are equal; theirs has been set then.
    take : takes the loss of each step; returns whether the turn is over after it.
    """

    name: str
    rates: list[float]
    first: int
    lowest: int
    sweeps: bool
    constant: bool
    take: Callable[[float], bool]


class Search:
    """A range test of an optimizer, without the steps.

    opt, told : the optimizer, and the arguments of the test.
    cut : why the test has ended early, or "".
    kept : what puts everything back; None before `begin`, and after `put_back`.
    """

    def __init__(self, opt: Optimizer, told: Settings) -> None:
        self.cut = "the loop has not come to its end"
        self.kept: Kept | None = None
        self._opt, self._told = opt, told
        self._swept = Curve(told.lrs, told.smoothing, told.stop)
        self._spent = 0  # steps of sweeps that began too high
        self._race = self._new_race()
        self._racer: Racer | None = None  # the one whose params these are
        self._progress: dict[Racer, Progress] = {}
        self._trained: Trained | None = None

    @property
    def result(self) -> RangeTest:
        """The result that follows from the losses so far."""
        return conclude(
            self._swept, self._race.standings, self.cut, self._trained, self._spent
        )

    def begin(self) -> None:
        """Copy everything that the test changes."""
        self.kept = Kept(self._opt, self._told.rngs, self._told.also)

    def put_back(self) -> None:
        """Put everything back, once and for all."""
        self._now.put_back()
        self.kept = None

    def seal(self) -> None:
        """Let what the winner has learnt remember how everything is after that."""
        if self._trained is not None:
            self._trained.seal()

    def turns(self) -> Iterator[Turn]:
        """Hand out turns; each must have been taken when the next one is asked for."""
        self._now.begin()
        yield self._sweep()
        while self._told.may_lower and self._begin_lower():
            yield self._sweep()
        for leg in self._race.legs(self._swept, self._told.stop):
            yield self._turn_of(leg)
        self._keep_winner()
        self.cut = ""

    @property
    def _now(self) -> Kept:
        assert self.kept is not None
        return self.kept

    def _new_race(self) -> Race:
        lrs, told = self._swept.lrs, self._told
        return Race(
            float(lrs[0]), None if told.may_raise else float(lrs[-1]), told.steps,
            told.longest, told.stride, bool(told.shares), usual(self._opt),
        )  # fmt: skip

    def _sweep(self) -> Turn:
        swept = self._swept
        return Turn(
            "range test", swept.lrs.tolist(), 0, 0, True, False, swept.add
        )  # fmt: skip

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
        self._now.begin_anew()
        return True

    def _turn_of(self, leg: Leg) -> Turn:
        """Return the turn of a racer, after whatever it has learnt so far."""
        racer, first = leg.racer, len(leg.racer.losses)
        lr = self._race.standings.rate_of(racer)
        shares = self._told.shares[first : leg.end]
        if racer is not self._racer:
            self._turn_to(racer, None if shares else lr)
        return Turn(
            f"trial of {lr:.2g}" if lr else "first loss",
            [lr * share for share in shares] or [lr] * (leg.end - first),
            first, leg.lowest, False, not shares, racer.add,
        )  # fmt: skip

    def _turn_to(self, racer: Racer, lr: float | None) -> None:
        """Keep what the present racer has learnt, and go on with another one.

        lr : its rate, if it is constant.
        """
        kept, now = self._now, self._keep()
        for other in [other for other in self._progress if other.out]:
            del self._progress[other]
        if racer in self._progress:
            kept.put(self._progress.pop(racer), lr, now)
        else:
            kept.begin_anew(lr, now)
        self._racer = racer

    def _keep(self) -> Progress | None:
        """Keep what the present racer has learnt, if it is still in."""
        if self._racer is None or self._racer.out:
            return None
        now = self._progress[self._racer] = self._now.take()
        return now

    def _keep_winner(self) -> None:
        """Keep what the winner has learnt, for `RangeTest.adopt`."""
        winner = self._race.standings.winner
        if winner is self._racer:
            self._keep()
        if winner in self._progress and not self._told.shares:
            self._trained = Trained(
                self._now, self._progress[winner], len(winner.losses),
                self._race.standings.rate_of(winner),
            )  # fmt: skip
        self._progress.clear()
