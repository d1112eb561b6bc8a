"""Validation losses: whether one is worth a look for overfitting."""

from __future__ import annotations

from math import isfinite, isnan, nan
from typing import NamedTuple

from lrcore._shared.domains import steps
from lrcore._shared.types import Array

# Share of the descent of the validation loss that was lost again.
OVERFITS = 0.2
# Validations since the best one from which on it may be told.
SINCE = 3

_COUNT = steps(0)


class Validated(NamedTuple):
    """What is kept of the validation losses, to look at the history only if need be.

    first, best : the first, and the least.
    since : how many followed the least.
    suspect : whether the last one was well above the least, and not the first such.
    """

    first: float = nan
    best: float = nan
    since: int = 0
    suspect: bool = False

    @classmethod
    def restored(cls, saved: Array) -> Validated:
        """Return what was saved, as an array of it has it."""
        first, best, since, suspect = saved.tolist()
        count = int(since) if since.is_integer() else since
        return cls(first, best, _COUNT.check("validated: since", count), suspect == 1)

    def followed_by(self, loss: float) -> Validated:
        """Return them with one loss more; one that is not finite tells nothing."""
        if not isfinite(loss):
            return self._replace(suspect=False)
        if isnan(self.first):
            return Validated(loss, loss)
        if not loss > self.best:
            return Validated(self.first, loss)
        lost = loss - self.best > OVERFITS * (self.first - self.best)
        since = self.since + 1
        return Validated(self.first, self.best, since, lost and since >= SINCE)
