"""A score in the place of the loss."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, nan
from typing import Any

from lrcore._shared.words import shown
from lrcore.finder._levels import NONFINITE
from lrcore.finder._sweep import scalar

_SWEPT = 4
"""In the sweep the score is asked for in every 4th step at least."""


class Score:
    """The user's score, which is asked for in some steps.

    every : the steps of a trial from one to the next.
    sign : what makes a loss of it, as the optimizer has losses.
    """

    def __init__(self, score: Callable[[], Any], every: int, sign: float) -> None:
        if not callable(score):
            raise TypeError(
                "score: expected a function without arguments that returns a number, "
                f"found {shown(score)}"
            )
        self._score, self._every, self._sign = score, every, sign
        self._value = self._known = nan
        self._lost = 0  # scores in a row that are not finite

    def ask(self, step: int, sweeps: bool) -> None:
        """Ask for the score, if it is due in this step, or none is known.

        One that is not finite counts in its step alone, where the one before is known;
        it is asked for again in the next step where none is.
        """
        every = min(self._every, _SWEPT) if sweeps else self._every
        if step % every and isfinite(self._known):
            self._value = self._known
            return
        self._value = self._sign * scalar(self._score(), "score")
        self._lost = 0 if isfinite(self._value) else self._lost + 1
        if not 0 < self._lost < NONFINITE:
            self._known = self._value

    def instead(self, loss: float) -> float:
        """Return what is told in place of a loss: a loss that is not finite stays."""
        return self._value if isfinite(loss) else loss
