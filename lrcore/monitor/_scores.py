"""Scores of a summary: how much it looks like that of a rate too high, or too low.

A score is a sum of numbers of the run, each with a weight: the logarithm of the odds,
less a margin.  The weights are those of a logistic regression on runs whose outcome is
known; `python bench/fit_monitor.py` computes them.
"""

from __future__ import annotations

from math import isnan, log10, nan, sqrt
from operator import mul
from typing import NamedTuple

from lrcore.monitor._summary import NOISES, PARTS, Summary, mean


class Weights(NamedTuple):
    """The weights of a score, and the constant that is added."""

    constant: float
    weights: dict[str, float]

    def of(self, numbers: dict[str, float]) -> float:
        """Return the score of a run."""
        return self.constant + sum(w * numbers[k] for k, w in self.weights.items())


HIGH = Weights(-12.34, {"waste": 3.59, "astray": 1.63, "around": 1.39})
HIGH_BY_LOSS = Weights(-3.78, {"leap": 4.26, "gain": 2.16, "back": 5.4, "drop": -5.67})
LOW = Weights(-0.81, {"path": -4.66, "kept": 6.97, "promise": -2.72})
LOW_BY_LOSS = Weights(
    1.69, {"late": 9.7, "signal": 0.46, "drop": -11.04, "wander": -5.04}
)
FLAT_BY_LOSS = Weights(-2.25, {"hidden": -3.89, "wander": -8.1})
"""The score of a rate too low by losses alone that have not fallen."""

# A loss without noise has this share of the first loss as noise: float32's rounding.
_TINY = 1e-7
# Places of the levels in the run, from its middle.
_PLACES = [k / (PARTS - 1) - 0.5 for k in range(PARTS)]
_SQUARES = sum(place * place for place in _PLACES)
# A line that leads so many times as far as the levels are from it is straight.
_STRAIGHT = 20


def numbers(run: Summary) -> dict[str, float]:
    """Return the numbers of a run that are weighed: by reports, if there are any.

    By reports:

    path : log10 of the sum of updates over the params.
    kept : log10 of the gradient's norm over its largest.
    promise : log10 of the most that the gradients promised over the way to the floor.
    waste : the same over the descent, or over half of the noise if that is more.
    around : the path, as far as the loss has not fallen by it.
    astray : log10 of the largest norm of the params over the first, likewise.

    By losses alone:

    gain : 1 if the loss fell, -1 if it rose, between them within the noise.
    leap : log10 of how far it rose above the first loss, over how far it fell.
    back : the share of its greatest descent that it has lost again.
    late : the share of the descent in the second half.
    signal : log10 of the descent over the noise.
    drop : the share of the way to the floor that is done; 0 if it is not known.
    hidden : log10 of the noise over the way to the floor.
    wander : log10 of the levels' distance from a straight line, over what noise makes
        of it, or over a 20th of the way that the line leads if that is more.  It is
        about 0 where the params stay, so that losses differ by their batches alone.
    """
    tiny = _TINY * abs(run.first) or 1.0
    noise = NOISES * run.noise or tiny
    gain = min(max(run.descent / noise, -1.0), 1.0)
    if not isnan(run.path):
        path = _log(run.path, -3, 3)
        return {
            "path": path,
            "kept": _log(run.kept, -2, 0),
            "promise": _log(run.work / run.way, -4, 2),
            "waste": _log(run.work / max(run.descent, run.noise / 2, tiny), -1, 8),
            "around": (1 - gain) * path,
            "astray": (1 - gain) * _log(run.thrown, 0, 2),
        }
    fallen, lost = max(run.descent, noise), run.level - run.least
    return {
        "gain": gain,
        "leap": _log((run.top - run.first) / fallen, -1, 4),
        "back": min(lost / max(run.descent + lost, noise), 1.0),
        "late": min(max(run.late, -0.5), 1.0),
        "signal": _log(NOISES * run.descent / noise, 0, 3),
        "drop": 0.0 if isnan(run.drop) else min(max(run.drop, -1.0), 1.0),
        "hidden": _log(run.noise / run.way, -3, 1),
        "wander": _wander(run.levels, max(run.error, tiny)),
    }


def _wander(levels: list[float], error: float) -> float:
    """Return `wander`; see `numbers`.

    error : what noise makes of the distance of a level from the line.
    """
    middle, rise = mean(levels), sum(map(mul, _PLACES, levels)) / _SQUARES
    unit = max(error, abs(rise) / _STRAIGHT)
    off = [(y - middle - rise * x) / unit for x, y in zip(_PLACES, levels, strict=True)]
    return _log(sqrt(sum(map(mul, off, off)) / PARTS), -1, 2)


def _log(x: float, low: float, high: float) -> float:
    """Return log10(x) between bounds; NaN of NaN."""
    if isnan(x):
        return nan
    return min(max(log10(x), low), high) if x > 0 else low
