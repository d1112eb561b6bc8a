"""A race of learning rates: which rate trains on, up to which step, and which is out.

The rates near a first guess train on the same batches, each from the same beginning.
They take turns: after each *leg* the race compares their losses batch by batch, and
those that are decidedly behind train no further.  This module only reads losses; who
takes the steps is in `_find` and `_sweep`.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, log10, nan
from typing import NamedTuple

from lrcore.finder._curve import Curve
from lrcore.finder._guess import first_guess, is_clear, paired_guess
from lrcore.finder._levels import Mean, mean_and_error
from lrcore.finder._neighbours import (
    APART,
    LAST_NEW,
    LEGS,
    LONE,
    between,
    is_near,
    may_leave,
)
from lrcore.finder._racer import CLEAR_OF_MANY, Racer, leads
from lrcore.finder._range import END, HIGHEST

PER_DECADE = 4
"""Places in a decade.  Rates that race are two places apart: half a decade."""

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
        self.steps, self._longest = steps, longest
        self.racers: dict[int, Racer] = {}
        self.resting = Racer(0, stride)  # the first params, whose rate is 0
        self._start = start
        self._end, self._highest = (end, end) if end else (END, HIGHEST)
        self._stride, self._patient, self._usual = stride, patient, usual
        self._anchor = nan
        self._limit = inf
        self._led: dict[tuple[int, int, int], bool] = {}  # answers of `_descends`

    def rate(self, place: float) -> float:
        """Return the rate at a place."""
        return float(self._anchor * 10 ** (place / PER_DECADE))

    def rate_of(self, racer: Racer) -> float:
        """Return the rate of a racer."""
        return 0.0 if racer is self.resting else self.rate(racer.place)

    @property
    def first(self) -> Mean:
        """The mean loss of the first params."""
        return mean_and_error(self.resting.seen())

    # --- the course -------------------------------------------------------------------

    def legs(self, sweep: Curve, stop: float) -> Iterator[Leg]:
        """Hand out legs; each must have been run when the next one is asked for.

        There are none if the sweep cannot be read.

        stop : a rate diverges where the loss exceeds the first one by `stop` - 1 times
            its size.
        """
        guess = first_guess(sweep)
        if guess is None or not self.steps:
            return
        ends = [max(1, round(self.steps * (k + 1) / LEGS)) for k in range(LEGS)]
        few = max(1, ends[0] // 2)
        yield Leg(self.resting, few if is_clear(sweep) else len(sweep.losses), 0)
        if stop < inf:
            mean, _, noise = self.first
            self._limit = mean + (stop - 1) * max(abs(mean), noise)
        guess = paired_guess(sweep, self.resting.losses) or guess
        self._begin_at(self._usual * guess)
        led = False
        for leg, end in enumerate(ends, 1):
            new = leg <= LAST_NEW
            if led:
                yield from self._go_on(end, 0 if new else ends[leg - 2])
                if new:
                    yield from self._add(self._beside(), end)
            else:
                yield from self._bracket(end, leg == _TRIES)
                led = leg == _TRIES or self._descends()
            if led:
                self._leave(leg)
            if leg >= LONE and len(self.live) == 1 and self.resting.out:
                break
        yield from self._hold()

    def _hold(self) -> Iterator[Leg]:
        """Run the winner on if half a decade above it the loss has diverged.

        If it loses much of its descent, try the next one.
        """
        winner = self.winner
        while winner and not winner.out and len(winner.losses) < self._longest:
            above = self.racers.get(winner.place + APART)
            if above is None or above.out != "diverged":
                return
            end = len(winner.losses)
            before, error, _ = winner.end_at(end)
            limit = before + max(
                _LOSS * (self.first.mean - before), CLEAR_OF_MANY * error
            )
            yield from self._run(winner, self._longest, end)
            if winner.final > limit:
                winner.out = "diverged"
            winner = self.winner

    def _begin_at(self, guess: float) -> None:
        """Let the rate at place 0 be the guess, rounded to a quarter of a decade."""
        guess = min(max(guess, self._start), self._end)
        even = 10 ** (round(PER_DECADE * log10(guess)) / PER_DECADE)
        self._anchor = even if self._start <= even <= self._end else guess

    def _bracket(self, end: int, last: bool) -> Iterator[Leg]:
        """Run to step `end`, until the leader is known to lead both its neighbours.

        As long as no rate is better than the first params, that means little: with the
        optimizer's state at 0, good rates may raise the loss at first.  Then only the
        `last` attempt goes to other rates.
        """
        if self.racers:
            yield from self._go_on(end, 0)
        new = [] if self.racers else [0, APART, -APART]
        while True:
            yield from self._add(new, end)
            follows = last or not self.live or self._descends()
            new = [*filter(self._is_new, self._beside())] if follows else []
            if not new:
                return

    def _add(self, places: list[int], end: int) -> Iterator[Leg]:
        """Run rates that are new to step `end`."""
        for place in filter(self._is_new, places):
            racer = self.racers[place] = Racer(place, self._stride)
            for share in _LOOKS:
                yield from self._run(racer, max(1, round(share * end)), 0)

    def _go_on(self, end: int, lowest: int) -> Iterator[Leg]:
        """Run all that are still in to step `end`."""
        for racer in (self.resting, *self.live):
            yield from self._run(racer, end, lowest)

    def _run(self, racer: Racer, end: int, lowest: int) -> Iterator[Leg]:
        """Run a racer to step `end`; take it out if it diverges."""
        if racer.out or end <= len(racer.losses):
            return
        yield Leg(racer, end, lowest)
        if racer.diverges(self._limit):
            racer.out = "diverged"

    def _beside(self) -> list[int]:
        """Return the places that are to be known: those beside the leader's."""
        if not self.live:
            return [min(self.racers) - APART]
        best = self._leader.place
        return [best + APART, best - APART]

    def _is_new(self, place: int) -> bool:
        slack = 1 + 1e-9  # of rounding
        end = self._highest if self._descends() else self._end
        inside = self._start <= slack * self.rate(place) <= slack**2 * end
        return inside and place not in self.racers

    # --- who is in it -----------------------------------------------------------------

    @property
    def live(self) -> list[Racer]:
        """The racers that are still in, by rising rate."""
        return [self.racers[p] for p in sorted(self.racers) if not self.racers[p].out]

    @property
    def _leader(self) -> Racer:
        return min(self.live, key=lambda racer: racer.level)

    def _descends(self) -> bool:
        """Whether the leader is better than the first params; this is asked often."""
        if not self.live:
            return False
        leader = self._leader
        seen = leader.place, len(leader.losses), len(self.resting.losses)
        if seen not in self._led:
            self._led[seen] = leads(leader, self.resting)
        return self._led[seen]

    def _leave(self, leg: int) -> None:
        """Take those out that are not needed any more after so many legs."""
        if not self.live:
            return
        leader = self._leader
        descent = self.first.mean - leader.level
        for racer in self.live:
            if racer is leader or (self._patient and is_near(racer, leader)):
                continue
            if may_leave(racer, leader, descent, leg, self.steps):
                racer.out = "behind"
        if self._descends():
            self.resting.out = "behind"

    # --- who wins ---------------------------------------------------------------------

    @property
    def winner(self) -> Racer | None:
        """The racer with the least loss at the end of the steps that all have taken.

        Only those count that came at least half as far as the furthest one.  If all
        that were left have diverged, it is among those that were behind at lower rates.
        """
        left = self.live
        if not left:
            ended = [p for p, racer in self.racers.items() if racer.out == "diverged"]
            left = [
                racer
                for place, racer in self.racers.items()
                if racer.out == "behind" and place < min(ended)
            ]
        furthest = max((len(racer.losses) for racer in left), default=0)
        left = [racer for racer in left if 2 * len(racer.losses) >= furthest > 0]
        end = min((len(racer.losses) for racer in left), default=0)
        return min(left, key=lambda racer: racer.end_at(end).mean, default=None)

    @property
    def chosen(self) -> float:
        """The place to suggest: the winner's, or half-way to a neighbour as good."""
        best = self.winner
        if best is None:
            return nan
        descent = self.first.mean - best.end_at(min(len(best.losses), self.steps)).mean
        below, above = (self.racers.get(best.place + step) for step in (-APART, APART))
        return best.place + between(best, below, above, descent)
