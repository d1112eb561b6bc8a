"""The rates of a race: which are still in it, which leads, and which wins."""

from __future__ import annotations

from math import nan

from lrcore.finder._compared import leads
from lrcore.finder._levels import Mean, mean_and_error
from lrcore.finder._neighbours import APART, between
from lrcore.finder._racer import Racer

PER_DECADE = 4
"""Places in a decade.  Rates that race are two places apart: half a decade."""


class Standings:
    """How the rates of a race of `steps` steps stand.

    racers : by place.
    resting : the first params, whose rate is 0.
    anchor : the rate at place 0.
    """

    def __init__(self, steps: int, stride: int = 1) -> None:
        self.steps = steps
        self.racers: dict[int, Racer] = {}
        self.resting = Racer(0, stride)
        self.anchor = nan
        self._led: dict[tuple[int, int, int], bool] = {}  # answers of `descends`

    def rate(self, place: float) -> float:
        """Return the rate at a place."""
        return float(self.anchor * 10 ** (place / PER_DECADE))

    def rate_of(self, racer: Racer) -> float:
        """Return the rate of a racer."""
        return 0.0 if racer is self.resting else self.rate(racer.place)

    @property
    def first(self) -> Mean:
        """The mean loss of the first params."""
        return mean_and_error(self.resting.seen())

    # --- in the race ------------------------------------------------------------------

    @property
    def live(self) -> list[Racer]:
        """The racers that are still in, by rising rate."""
        return [self.racers[p] for p in sorted(self.racers) if not self.racers[p].out]

    @property
    def leader(self) -> Racer | None:
        """The racer with the least loss of those that are still in."""
        return min(self.live, key=lambda racer: racer.level, default=None)

    def descends(self) -> bool:
        """Whether the leader is better than the first params; this is asked often."""
        leader = self.leader
        if leader is None:
            return False
        seen = leader.place, len(leader.losses), len(self.resting.losses)
        if seen not in self._led:
            self._led[seen] = leads(leader, self.resting)
        return self._led[seen]

    # --- at its end -------------------------------------------------------------------

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
