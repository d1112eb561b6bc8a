"""What the neighbours of the best rate say: when they may leave, and what is suggested.

A loss falls slowly towards the best rate from below, and rises fast above it; and lower
rates catch up late.  So the rates on both sides of the best one tell where between them
the best rate lies, if they have trained for long enough.
"""

from __future__ import annotations

from lrcore.finder._compared import gap_at_end, trend
from lrcore.finder._racer import Racer

# The constants below were chosen on the tuning half of bench/finder.py.

APART = 2
"""Places from one rate of a race to the next: half a decade."""

LEGS = 6
"""Parts of equal length in which a race is run."""

LAST_NEW = LEGS // 2
"""The last leg after which a rate that never raced may still catch up."""

LONE = 4
"""From this leg on a race ends when one rate is left."""

# By its places above the leader's: from which leg on a racer that is behind leaves, and
# by how much of the descent so far it has to be behind.  Others leave at once.
_LEAVES = {
    -2 * APART: ((2, 0.0),),
    -APART: ((4, 0.0),),
    APART: ((2, 0.5), (3, 0.3), (4, 0.0)),
}
# A neighbour that is as good to 5 % of the descent tells no more from this leg on.
_EVEN, _EVEN_FROM = 0.05, 3
# Standard errors of a difference within which it lies.
_SURE = 2.0
# The suggestion is half-way to a neighbour that is behind by less than 10 % of what the
# other one is.  One that never raced counts as behind by a share of the descent.
_NEAR = 0.1
_UNKNOWN_BELOW, _UNKNOWN_ABOVE = 0.5, 1.0


def is_near(racer: Racer, leader: Racer) -> bool:
    """Whether a racer lies where its losses tell about the leader."""
    return racer.place - leader.place in _LEAVES


def may_leave(
    racer: Racer, leader: Racer, descent: float, leg: int, steps: int
) -> bool:
    """Whether a racer is not needed any more.

    descent : of the leader's loss so far.
    leg : the number of legs that it has run.
    steps : of the race.
    """
    apart = racer.place - leader.place
    if apart not in _LEAVES:
        return True
    now = trend(racer, leader)
    if abs(apart) == APART and leg >= _EVEN_FROM:
        largest = max(abs(now.mean), abs(now.at(steps))) + _SURE * now.error
        if largest < _EVEN * descent:
            return True
    shares = [share for first, share in _LEAVES[apart] if leg >= first]
    if not shares or not gap_at_end(racer, leader) > shares[-1] * max(descent, 0.0):
        return False
    return now.lasts(steps)


def between(
    best: Racer, below: Racer | None, above: Racer | None, descent: float
) -> int:
    """Return how many places above the best rate the suggestion lies.

    below, above : its neighbours; None: they never raced.
    descent : of the best rate's loss.
    """
    if not descent > 0:
        return 0
    lower = _behind(below, best, descent, _UNKNOWN_BELOW)
    higher = _behind(above, best, descent, _UNKNOWN_ABOVE)
    if higher < _NEAR * lower:
        return APART // 2
    return -APART // 2 if lower < _NEAR * higher else 0


def _behind(racer: Racer | None, best: Racer, descent: float, unknown: float) -> float:
    """Return by how much a neighbour is behind the best; at most the descent."""
    if racer is None or not racer.losses:
        return unknown * descent
    if racer.out == "diverged":
        return descent
    return min(gap_at_end(racer, best), descent)
