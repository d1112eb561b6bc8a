"""The result that follows from a sweep and the race after it."""

from __future__ import annotations

from math import isfinite, log10, nan

import numpy as np

from lrcore.finder._compared import CLEAR, CLEAR_OF_MANY, gap
from lrcore.finder._curve import Curve
from lrcore.finder._levels import SKIP_LAST, beginning, fall_of_chance, few
from lrcore.finder._result import RangeTest
from lrcore.finder._rules import read
from lrcore.finder._standings import PER_DECADE, Standings
from lrcore.finder._trained import Trained

# The share of runs in which the sweep alone is right.
_ALONE = 0.6
# Its suggestion lies, in log lr, a quarter of the way from `minimum` to `valley`.
_TO_VALLEY = 0.25
# Rates whose losses are behind by 10 % of the descent are about as good.
_NEAR = 0.1
# log10(rate of the rule / best rate): medians over the tuning half of bench/finder.py.
_BIAS = {"valley": -0.7, "slide": -0.3, "minimum": -0.2, "steep": 0.35}


@np.errstate(all="ignore")
def conclude(
    sweep: Curve,
    race: Standings,
    cut: str = "",
    trained: Trained | None = None,
    spent: int = 0,
) -> RangeTest:
    """Return the result of a sweep and of the race after it.

    cut : the reason why they ended early, or "".
    trained : what the winner has learnt.
    spent : the number of losses of sweeps before this one.
    """
    lrs, losses, smoothed = sweep.arrays
    found, how = read(sweep), _ending(sweep)
    racers = [race.racers[place] for place in sorted(race.racers)]
    racers = [racer for racer in racers if racer.losses]
    steps = [len(racer.losses) for racer in racers]

    def told(suggestion: float, confidence: float, *reasons: str) -> RangeTest:
        return RangeTest(
            lrs, losses, smoothed, found, suggestion, confidence,
            "; ".join(filter(None, (*reasons, cut))),
            np.array([race.rate_of(racer) for racer in racers], float),
            np.array([racer.final for racer in racers], float),
            np.array(steps, int),
            spent + len(losses) + len(race.resting.losses) + sum(steps),
            trained if suggestion > 0 else None,
        )  # fmt: skip

    finite = int(np.isfinite(losses).sum())
    if sweep.ended and not finite:
        return told(
            nan, 0.0,
            "the loss or the score is not finite before the first step: look at the "
            "data, the params and the functions that return them",
        )  # fmt: skip
    if not found:
        advice = {
            "": "",
            "diverged": "lower start, or raise num",
            "not finite": "look at the gradients, lower start, or raise num",
        }[sweep.ended]
        return told(nan, 0.0, f"too few points ({finite})", how, advice)
    if racers:
        suggestion, confidence, basis = _of_race(sweep, race, cut)
    else:
        suggestion, confidence, basis = _of_sweep(sweep, found, cut)
    if basis.startswith("flat"):
        return told(suggestion, confidence, basis, how)
    return told(suggestion, confidence, how, basis)


def _of_race(sweep: Curve, race: Standings, cut: str) -> tuple[float, float, str]:
    """Return the suggestion of a race, the confidence in it and its reason."""
    best, place = race.winner, race.chosen
    if best is None:
        return nan, 0.0, "no trial held: lower start"
    ahead, error, _ = gap(race.resting, best)
    flat = not race.resting.out
    if flat and not ahead > 0:
        if ahead < -CLEAR * error:
            return nan, 0.0, "no rate descends: look at the gradients and their sign"
        advice = "" if cut or sweep.ended or sweep.rise else "raise end, or "
        return nan, 0.0, f"flat: {advice}look at the gradients"
    fall = race.first.mean - best.final
    near = [
        racer.place for racer in race.racers.values()
        if racer.out != "diverged" and gap(racer, best).mean <= _NEAR * abs(fall)
    ]  # fmt: skip
    width = (max(near) - min(near) + 1) / PER_DECADE
    inside = max(race.racers) > best.place
    sure = max(ahead, 0.0) / (max(ahead, 0.0) + error) if error else 1.0
    if not isfinite(error):
        sure = 0.0  # too few of their losses belong to the same batches
    confidence = sure * width / (width + 0.25) * (1.0 if inside else 0.5)
    number = f"{len(race.racers)} rates" if len(race.racers) > 1 else "1 rate"
    where = "best" if place == best.place else "between the two best"
    basis = f"{where} of {number} in {len(best.losses)} steps"
    if not inside:
        higher = "" if cut else ": raise end"
        basis += f"; the highest is the best{higher}"
    if flat:
        basis, confidence = f"no clear descent; {basis}", confidence / 2
    if best.out:
        basis, confidence = f"{basis}, as all others diverged", confidence / 2
    return race.rate(place), confidence, basis


def _of_sweep(
    sweep: Curve, found: dict[str, float], cut: str
) -> tuple[float, float, str]:
    """Return the suggestion of a sweep alone, the confidence in it and its reason."""
    _, losses, smoothed = sweep.arrays
    finite = losses[np.isfinite(losses)]
    meant = few(len(losses))
    first, error = beginning(finite, meant)
    least = float(np.convolve(finite, np.full(meant, 1 / meant), "valid").min())
    fall = first - least
    flat = not fall > fall_of_chance(first, CLEAR_OF_MANY * error)
    if flat and not sweep.ended:
        advice = "" if cut or sweep.rise else "raise end, or "
        return nan, 0.0, f"flat: {advice}look at the gradients"
    if flat and fall <= fall_of_chance(first, 0.0):
        return nan, 0.0, "no rate descends: look at the gradients and their sign"
    sure = max(fall, 0.0) / (max(fall, 0.0) + error) if error else 1.0
    bases = [log10(found[name]) - bias for name, bias in _BIAS.items()]
    confidence = _ALONE * sure / (1 + float(np.std(bases)))
    falls = (
        not sweep.ended and int(np.nanargmin(smoothed)) >= len(losses) - 1 - SKIP_LAST
    )
    confidence /= 2 if flat or falls else 1
    basis = "from a tenth of the rate of the least loss a quarter of the way to valley"
    if flat:
        basis = "no clear descent before that"
    elif falls and not sweep.rise:
        basis = f"still falling there{'' if cut else ': raise end'}"
    rate = found["minimum"] ** (1 - _TO_VALLEY) * found["valley"] ** _TO_VALLEY
    return rate, confidence, basis


def _ending(sweep: Curve) -> str:
    """Say how a sweep ended."""
    if not sweep.losses:
        return ""
    last = f"{sweep.lrs[len(sweep.losses) - 1]:.2g}"
    if sweep.rise:
        return (
            f"the loss diverged at {sweep.rise:.2g}, its average did not up to {last}"
        )
    return {
        "": f"no divergence up to {last}",
        "diverged": f"diverged at {last}",
        "not finite": f"loss not finite at {last}",
    }[sweep.ended]
