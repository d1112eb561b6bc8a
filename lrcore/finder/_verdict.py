"""The result that follows from a sweep and its trials."""

from __future__ import annotations

from math import inf, log10, nan

import numpy as np

from lrcore.finder._curve import Curve
from lrcore.finder._levels import SKIP_LAST, beginning, fall_of_chance, few
from lrcore.finder._result import RangeTest
from lrcore.finder._rules import read
from lrcore.finder._trials import CLEAR, LATTICE, TOLERANCE, Trials

# The share of runs in which the rule `minimum` alone is right.
_ALONE = 0.7
# The least of many means must fall by 3 standard errors to be more than chance.
_CLEAR_OF_MANY = 3.0
# log10(rate of the rule / best rate): medians over the tuning half of bench/finder.py.
_BIAS = {"valley": -0.7, "slide": -0.3, "minimum": -0.2, "steep": 0.35}


def conclude(sweep: Curve, trials: Trials, cut: str = "") -> RangeTest:
    """Return the result of a sweep and of the trials after it.

    cut : the reason why they ended early, or "".
    """
    lrs, losses, smoothed = sweep.arrays
    finite = int(np.isfinite(losses).sum())
    found, tried, how = read(lrs, losses, smoothed), trials.scores, _ending(sweep)
    trial_lrs = [trials.rate(place) for place in sorted(tried)]
    trial_losses = [tried[place] for place in sorted(tried)]

    def told(suggestion: float, confidence: float, *reasons: str) -> RangeTest:
        return RangeTest(
            lrs, losses, smoothed, found, suggestion, confidence,
            "; ".join(filter(None, (*reasons, cut))),
            np.array(trial_lrs, float), np.array(trial_losses, float),
        )  # fmt: skip

    def none(*reasons: str) -> RangeTest:
        return told(nan, 0.0, *reasons)

    if sweep.ended and not finite:
        return none(
            "the loss is not finite before the first step: look at the data, the "
            "params or loss_and_grad"
        )
    if not found:
        advice = {
            "": "",
            "diverged": "lower start, or raise num",
            "not finite": "look at the gradients, lower start, or raise num",
        }[sweep.ended]
        return none(f"too few points ({finite})", how, advice)

    if tried:
        first, error, clear = trials.first, trials.error, CLEAR
        least = min(trial_losses)
    else:
        meant, clear = few(len(losses)), _CLEAR_OF_MANY
        first, error = beginning(losses[:finite], meant)
        means = np.convolve(losses[:finite], np.full(meant, 1 / meant), "valid")
        least = float(means.min())
    if least == inf:
        return none(how, "no trial held: lower start")
    fall = first - least
    flat = not fall > fall_of_chance(first, clear * error)
    if flat and not sweep.ended:
        advice = "" if cut or sweep.rise else "raise end, or "
        return none(f"flat: {advice}look at the gradients", how)
    if flat and (trials.at_start if tried else fall <= fall_of_chance(first, 0.0)):
        return none(how, "no rate descends: look at the gradients and their sign")
    sure = max(fall, 0.0) / (max(fall, 0.0) + error) if error else 1.0
    higher = "" if cut else ": raise end"
    if not tried:
        bases = [log10(found[name]) - bias for name, bias in _BIAS.items()]
        confidence = _ALONE * sure / (1 + float(np.std(bases)))
        falls = not sweep.ended and int(smoothed.argmin()) >= finite - 1 - SKIP_LAST
        confidence /= 2 if flat or falls else 1
        basis = "a tenth of the rate of the least loss"
        if flat:
            basis = "no clear descent before that"
        elif falls and not sweep.rise:
            basis = f"still falling there{higher}"
        return told(found["minimum"], confidence, how, basis)
    near = [k for k, value in tried.items() if value <= least + 0.1 * abs(fall)]
    width = (max(near) - min(near) + 1) / LATTICE
    inside = max(tried) > trials.best
    confidence = sure * width / (width + 0.25) * (1.0 if inside else 0.5)
    number = f"{len(tried)} trials" if len(tried) > 1 else "1 trial"
    basis = f"best of {number} of {trials.steps} steps"
    if trials.chosen != trials.best:
        basis = f"lowest rate within {100 * TOLERANCE:g} % of the {basis}"
    if not inside:
        basis += f"; the highest is the best{higher}"
    if flat:
        basis, confidence = f"no clear descent before that; {basis}", confidence / 2
    return told(trials.rate(trials.chosen), confidence, how, basis)


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
