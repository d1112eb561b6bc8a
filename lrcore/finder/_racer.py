"""A rate in a race, and the losses of its steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Literal

import numpy as np

from lrcore._shared.types import Array
from lrcore.finder._levels import NONFINITE, Mean, mean_and_error, middle

# The losses whose median says whether a racer diverges.
_RECENT = 10
# The loss at the end of some steps is the mean over their last third.
_TAIL = 1 / 3

Out = Literal["", "diverged", "behind"]


@dataclass(eq=False)
class Racer:
    """A rate in the race.

    place : where its rate lies; see `Standings.rate`.
    stride : every so many of its losses are looked at.
    losses : those of its steps so far.
    out : why it has left the race, or "".
    """

    place: int
    stride: int = 1
    losses: list[float] = field(default_factory=list)
    out: Out = ""
    _means: dict[tuple[int, int], Mean] = field(default_factory=dict)
    _array: tuple[list[float], Array] = field(default_factory=lambda: ([], np.empty(0)))

    def add(self, loss: float) -> bool:
        """Take the loss of a step; return whether it fails."""
        self.losses.append(loss)
        return not isfinite(loss) and self.fails()

    def fails(self) -> bool:
        """Whether its last losses are not finite."""
        last = self.losses[-NONFINITE:]
        return len(last) == NONFINITE and not any(map(isfinite, last))

    def diverges(self, limit: float) -> bool:
        """Whether its last losses are not finite, or their median exceeds a limit."""
        last = sorted(filter(isfinite, self.losses[-_RECENT:]))
        return self.fails() or (len(last) > 0 and middle(last) > limit)

    @property
    def level(self) -> float:
        """The mean loss of the last third of its steps."""
        return self.end_at(len(self.losses)).mean

    @property
    def final(self) -> float:
        """The same; inf: it diverged."""
        return inf if self.out == "diverged" else self.level

    def end_at(self, end: int) -> Mean:
        """Return the mean loss of the last third of its first `end` steps."""
        steps = tail(end), min(end, len(self.losses))
        if steps not in self._means:  # it is asked for often
            self._means[steps] = mean_and_error(self.seen(*steps))
        return self._means[steps]

    def seen(self, first: int = 0, end: int | None = None) -> Array:
        """Return the losses that are looked at, from step `first` to `end`."""
        losses, array = self._array
        if losses is not self.losses or len(array) != len(losses):
            array = np.array(self.losses, float)
            self._array = self.losses, array
        first += -first % self.stride
        return array[first : end : self.stride]


def tail(end: int) -> int:
    """Return the first of the steps that tell the loss at the end of `end` steps."""
    return int((1 - _TAIL) * end)
