"""Trials about a first guess of a learning rate."""

from __future__ import annotations

from math import inf, nan

import numpy as np

from lrcore.finder._curve import Curve
from lrcore.finder._levels import beginning, fall_of_chance
from lrcore.finder._rules import read

# Of a trial: the share of its last steps whose mean loss is its score, and the share of
# the best one's descent that a lower rate may lack.  From the tuning half of
# bench/finder.py.
_TAIL, TOLERANCE = 0.2, 0.02
LATTICE = 4  # trials a decade, at the finest
# For so many times as long, what is chosen has to keep all but so much of its descent.
_LONGER, _LOSS = 3, 0.25
# A fall of so many standard errors is none of chance.
CLEAR = 2.0


class Trials:
    """Trains for so many steps at rates about a first guess, to compare them.

    The rates lie on a lattice about the guess; `scores` are by their places there: the
    mean of a trial's last losses, infinite where it ended before or did not hold.
    """

    def __init__(self, start: float, end: float, steps: int) -> None:
        self.steps = steps
        self.scores: dict[int, float] = {}
        self._start, self._end = start, end
        self._guess: float | None = None
        self._held: set[int] = set()
        self._place = 0
        self._longer = False
        self.first = self.error = self._clear = nan

    def begin(self, sweep: Curve) -> None:
        """Begin at what the sweep says, if it says anything."""
        lrs, losses, smoothed = sweep.arrays
        guess = read(lrs, losses, smoothed).get("minimum")
        if guess is not None and self.steps:
            self._guess = min(max(guess, self._start), self._end)
            self.first, self.error = beginning(losses, self.tail)
            self._clear = fall_of_chance(self.first, CLEAR * self.error)

    @property
    def tail(self) -> int:
        """Of how many losses a score is the mean."""
        return max(1, round(_TAIL * self.steps))

    def rate(self, place: int) -> float:
        """Return the rate at a place."""
        return float((self._guess or nan) * 10 ** (place / LATTICE))

    def next(self) -> tuple[float, int] | None:
        """Return the rate to try next, and for how many steps; None: it is found.

        Half a decade to both sides of the best, and when neither is better, a quarter.
        While none has descended or diverged, a decade above the highest.  What would be
        chosen then has to hold for longer.
        """
        if self._guess is None:
            return None
        for place in self._candidates():
            inside = self._start <= self.rate(place) <= self._end
            if inside and place not in self.scores:
                self._place, self._longer = place, False
                return self.rate(place), self.steps
        place = self.chosen
        if place in self._held or self.scores[place] == inf:
            return None
        self._place, self._longer = place, True
        return self.rate(place), _LONGER * self.steps

    def _candidates(self) -> list[int]:
        if not self.scores:
            return [0]
        best, top = self.best, max(self.scores)
        near = [best - 2, best + 2] if best % 2 == 0 else []
        near += [best - 1, best + 1]
        flat = abs(self.scores[top] - self.first) <= self._clear
        if flat and self.scores[best] >= self.first - self._clear:
            return [top + LATTICE, top + 1]
        return near

    def add(self, trial: Curve) -> None:
        """Take the trial of the rate that was next."""
        place = self._place
        score = inf if trial.ended else float(np.mean(trial.losses[-self.tail :]))
        if not self._longer:
            self.scores[place] = score
        elif score <= self.scores[place] + self._may_rise(place):
            self._held.add(place)
        else:  # nor do the rates above it
            self.scores |= {k: inf for k in self.scores if k >= place}

    def _may_rise(self, place: int) -> float:
        """Return how much above its score a rate may be that holds."""
        return max(self._clear, _LOSS * (self.first - self.scores[place]))

    @property
    def best(self) -> int:
        """The place of the least score, the lowest of equal ones."""
        return min(self.scores, key=lambda place: (self.scores[place], place))

    @property
    def chosen(self) -> int:
        """The lowest place whose descent, and of all up to the best, is near.

        What is best for few steps is rather too high for more.
        """
        order = sorted(self.scores)
        k = order.index(self.best)
        least = self.scores[self.best]
        while k > 0 and self.scores[order[k - 1]] <= least + TOLERANCE * (
            self.first - least
        ):
            k -= 1
        return order[k]

    @property
    def at_start(self) -> bool:
        """Whether the rate chosen is the lowest that there could be."""
        return self.rate(self.chosen - 1) < self._start
