"""A race of learning rates: which rate trains on, up to which step, and which is out.

The rates near a first guess train on the same batches, each from the same beginning.
They take turns: after each *leg* the race compares their losses batch by batch, and
those that are decidedly behind train no further.  This module only reads losses; who
takes the steps is in `_loop` and `_sweep`.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, log10
from typing import NamedTuple

from lrcore.finder._compared import CLEAR_OF_MANY
from lrcore.finder._curve import Curve
from lrcore.finder._guess import first_guess, is_clear, paired_guess
from lrcore.finder._neighbours import APART, LAST_NEW, LEGS, LONE, is_near, may_leave
from lrcore.finder._racer import Racer
from lrcore.finder._range import END, HIGHEST
from lrcore.finder._standings import PER_DECADE, Standings

# The constants below were chosen on the tuning half of bench/finder.py.
# Legs by which a leader has to be better than the first params, to be followed.
_TRIES = 2
# A racer that diverges leaves after one of these shares of its first leg.
_LOOKS = (0.2, 0.5, 1.0)
# The winner may lose a quarter of its descent when it runs on.
_LOSS = 0.25


class Leg(NamedTuple):
    """Steps to take next: a racer goes on up to step `end` of the race.

    lowest : the first step whose batch will be asked for again.
    """

    racer: Racer
    end: int
    lowest: int


class Race:
    """A race of `steps` steps between rates from `start` to `end`.

    end : None: up to 10, and further as long as the highest rate is the best.
    steps : 0 if there is none.
    longest : up to this step the winner is run on, to see whether it holds.
    stride : every so many losses of a racer are looked at.
    patient : whether neighbours of the leader stay in to the end.
    usual : how many times as high as the guess the best rate usually is.
    """

    def __init__(
        self,
        start: float,
        end: float | None,
        steps: int,
        longest: int = 0,
        stride: int = 1,
        patient: bool = False,
        usual: float = 1.0,
    ) -> None:
        self.standings = Standings(steps, stride)
        self._start, self._longest = start, longest
        self._end, self._highest = (end, end) if end else (END, HIGHEST)
        self._stride, self._patient, self._usual = stride, patient, usual
        self._limit = inf  # a loss above it is a divergence

    def legs(self, sweep: Curve, stop: float) -> Iterator[Leg]:
        """Hand out legs; each must have been run when the next one is asked for.

        There are none if the sweep cannot be read.

        stop : a rate diverges where the loss exceeds the first one by `stop` - 1 times
            its size.
        """
        now = self.standings
        guess = first_guess(sweep)
        if guess is None or not now.steps:
            return
        ends = [max(1, round(now.steps * (k + 1) / LEGS)) for k in range(LEGS)]
        few = max(1, ends[0] // 2)
        yield Leg(now.resting, few if is_clear(sweep) else len(sweep.losses), 0)
        if stop < inf:
            mean, _, noise = now.first
            self._limit = mean + (stop - 1) * max(abs(mean), noise)
        guess = paired_guess(sweep, now.resting.losses) or guess
        now.anchor = self._anchor(self._usual * guess)
        led = False
        for leg, end in enumerate(ends, 1):
            new = leg <= LAST_NEW
            if led:
                yield from self._go_on(end, 0 if new else ends[leg - 2])
                if new:
                    yield from self._add(self._beside(), end)
            else:
                yield from self._bracket(end, leg == _TRIES)
                led = leg == _TRIES or now.descends()
            if led:
                self._leave(leg)
            if leg >= LONE and len(now.live) == 1 and now.resting.out:
                break
        yield from self._hold()

    def _anchor(self, guess: float) -> float:
        """Return the guess, rounded to a quarter of a decade and inside the range."""
        guess = min(max(guess, self._start), self._end)
        even = 10 ** (round(PER_DECADE * log10(guess)) / PER_DECADE)
        return even if self._start <= even <= self._end else guess

    # --- legs -------------------------------------------------------------------------

    def _bracket(self, end: int, last: bool) -> Iterator[Leg]:
        """Run to step `end`, until the leader is known to lead both its neighbours.

        As long as no rate is better than the first params, that means little: with the
        optimizer's state at 0, good rates may raise the loss at first.  Then only the
        `last` attempt goes to other rates.
        """
        now = self.standings
        if now.racers:
            yield from self._go_on(end, 0)
        new = [] if now.racers else [0, APART, -APART]
        while True:
            yield from self._add(new, end)
            follows = last or not now.live or now.descends()
            new = [*filter(self._is_new, self._beside())] if follows else []
            if not new:
                return

    def _add(self, places: list[int], end: int) -> Iterator[Leg]:
        """Run rates that are new to step `end`."""
        for place in filter(self._is_new, places):
            racer = self.standings.racers[place] = Racer(place, self._stride)
            for share in _LOOKS:
                yield from self._run(racer, max(1, round(share * end)), 0)

    def _go_on(self, end: int, lowest: int) -> Iterator[Leg]:
        """Run all that are still in to step `end`."""
        for racer in (self.standings.resting, *self.standings.live):
            yield from self._run(racer, end, lowest)

    def _hold(self) -> Iterator[Leg]:
        """Run the winner on if half a decade above it the loss has diverged.

        If it loses much of its descent, try the next one.
        """
        now = self.standings
        winner = now.winner
        while winner and not winner.out and len(winner.losses) < self._longest:
            above = now.racers.get(winner.place + APART)
            if above is None or above.out != "diverged":
                return
            end = len(winner.losses)
            before, error, _ = winner.end_at(end)
            limit = before + max(
                _LOSS * (now.first.mean - before), CLEAR_OF_MANY * error
            )
            yield from self._run(winner, self._longest, end)
            if winner.final > limit:
                winner.out = "diverged"
            winner = now.winner

    def _run(self, racer: Racer, end: int, lowest: int) -> Iterator[Leg]:
        """Run a racer to step `end`; take it out if it diverges."""
        if racer.out or end <= len(racer.losses):
            return
        yield Leg(racer, end, lowest)
        if racer.diverges(self._limit):
            racer.out = "diverged"

    # --- who comes and who leaves -----------------------------------------------------

    def _beside(self) -> list[int]:
        """Return the places that are to be known: those beside the leader's."""
        leader = self.standings.leader
        if leader is None:
            return [min(self.standings.racers) - APART]
        return [leader.place + APART, leader.place - APART]

    def _is_new(self, place: int) -> bool:
        """Whether a place is inside the range, and has no racer yet."""
        now = self.standings
        if place in now.racers:
            return False
        slack = 1 + 1e-9  # of rounding
        end = self._highest if now.descends() else self._end
        return self._start <= slack * now.rate(place) <= slack**2 * end

    def _leave(self, leg: int) -> None:
        """Take those out that are not needed any more after so many legs."""
        now = self.standings
        leader = now.leader
        if leader is None:
            return
        descent = now.first.mean - leader.level
        for racer in now.live:
            if racer is leader or (self._patient and is_near(racer, leader)):
                continue
            if may_leave(racer, leader, descent, leg, now.steps):
                racer.out = "behind"
        if now.descends():
            now.resting.out = "behind"
