"""Trials at learning rates near a first guess."""

from __future__ import annotations

from math import inf, nan

import numpy as np

from lrcore.finder._curve import Curve
from lrcore.finder._levels import beginning, fall_of_chance
from lrcore.finder._rules import read

# A trial's score is the mean loss of the last 20 % of its steps.  A lower rate is as
# good if its descent is within 2 % of the best.  Both numbers are from the tuning half
# of bench/finder.py.
_TAIL, TOLERANCE = 0.2, 0.02
LATTICE = 4  # the most trials in a decade
# The rate chosen is tried for 3 times as many steps, and may lose 25 % of its descent.
_LONGER, _LOSS = 3, 0.25
# A fall of 2 standard errors is not due to chance.
CLEAR = 2.0


class Trials:
    """Compares trials of `steps` steps at rates near a first guess.

    The rates lie on a lattice: 10^(place / 4) times the guess.  `scores` has the score
    of each place, the mean of its last losses.  It is infinite if the trial diverged,
    or if the rate failed when it was tried for longer.
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
        """Take the first guess from the sweep, if a rule can read it."""
        lrs, losses, smoothed = sweep.arrays
        guess = read(lrs, losses, smoothed).get("minimum")
        if guess is not None and self.steps:
            self._guess = min(max(guess, self._start), self._end)
            self.first, self.error = beginning(losses, self.tail)
            self._clear = fall_of_chance(self.first, CLEAR * self.error)

    @property
    def tail(self) -> int:
        """The number of losses whose mean is a score."""
        return max(1, round(_TAIL * self.steps))

    def rate(self, place: int) -> float:
        """Return the rate at a place."""
        return float((self._guess or nan) * 10 ** (place / LATTICE))

    def next(self) -> tuple[float, int] | None:
        """Return the next rate to try and its number of steps; None if it is found.

        Try half a decade to both sides of the best place; if neither is better, a
        quarter.  While no trial has descended or diverged, try a decade above the
        highest.  At last, try the rate that would be chosen for longer.
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
        else:  # higher rates are worse
            self.scores |= {k: inf for k in self.scores if k >= place}

    def _may_rise(self, place: int) -> float:
        """Return how far above its score a longer trial at this place may end."""
        return max(self._clear, _LOSS * (self.first - self.scores[place]))

    @property
    def best(self) -> int:
        """The place of the least score, the lowest of equal ones."""
        return min(self.scores, key=lambda place: (self.scores[place], place))

    @property
    def chosen(self) -> int:
        """The lowest place whose descent is near that of the best.

        All places between it and the best have to be near, too.  The best itself is
        not chosen, because the best rate for few steps tends to be too high for more.
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
        """Whether a lower rate than the chosen one would be out of bounds."""
        return self.rate(self.chosen - 1) < self._start
