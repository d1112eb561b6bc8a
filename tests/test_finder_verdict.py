"""What follows from a sweep and a race: the rate, the confidence in it, the reasons."""

import math

import numpy as np
import pytest
from range_tests import swept

from lrcore.finder import _curve, _racer, _rules, _standings, _verdict

STEPS = 120

# --- of a sweep alone -----------------------------------------------------------------


def v_shaped(turn, n=100):
    """Losses that stay for a tenth of the points, fall, and from `turn` on rise."""
    stays, falls = n // 10, turn - n // 10
    rises = np.linspace(1.0, 2.9, n - turn)
    return [*[3.0] * stays, *np.linspace(3.0, 1.0, falls), *rises]


def certain(found):
    """The confidence in a sweep that descends for certain: less where rules differ."""
    bias = {"valley": -0.7, "slide": -0.3, "minimum": -0.2, "steep": 0.35}
    best = [math.log10(lr) - bias[name] for name, lr in found.suggestions.items()]
    return 0.6 / (1 + np.std(best))


@pytest.mark.parametrize("turn", [50, 70])
def test_the_rate_is_a_quarter_of_the_way_from_minimum_to_valley(turn):
    found = swept(v_shaped(turn), smoothing=0.5)
    lower, higher = found.suggestions["valley"], found.suggestions["minimum"]
    assert found.suggestion == pytest.approx(higher**0.75 * lower**0.25, rel=1e-12)
    assert found.confidence == pytest.approx(certain(found), rel=1e-12)
    assert "a quarter of the way to valley" in found.reason


def test_a_loss_that_still_falls_at_the_end_halves_the_confidence():
    found = swept(v_shaped(100), smoothing=0.5)
    assert found.confidence == pytest.approx(certain(found) / 2, rel=1e-12)
    assert "still falling there: raise end" in found.reason


# --- of a race ------------------------------------------------------------------------


def v_sweep():
    """A sweep whose least loss is at 1e-2."""
    sweep = _curve.Curve(np.geomspace(1e-7, 10.0, 100), 0.0, math.inf)
    for lr in sweep.lrs:
        sweep.add(abs(math.log10(lr / 1e-2)) + 1)
    return sweep


def concluded(loss_of, places, swing=0.0, out=None, **more):
    """The result of a race of these places, in which the first params' loss is 20.

    loss_of : the loss of a place; swing : is added to it and taken off it in turns.
    out : why those of some places have left the race.
    """
    sweep = v_sweep()
    race = _standings.Standings(STEPS)
    race.anchor = 1e-3
    turns = [swing * (-1) ** k for k in range(STEPS)]
    race.resting.losses = [20.0] * STEPS
    race.resting.out = "" if swing else "behind"
    for place in places:
        losses = [loss_of(place) + turn for turn in turns]
        racer = _racer.Racer(place, losses=losses)
        racer.out = (out or {}).get(place, "")
        race.racers[place] = racer
    return _verdict.conclude(sweep, race, **more)


def bowl(steepness):
    return lambda place: 1 + steepness * (place / 4) ** 2


def test_the_more_rates_are_about_as_good_the_more_it_is_confident():
    """Those behind by at most a tenth of the descent, 1.9; w decades: w / (w + 1/4)."""
    places = [-8, -6, -4, -2, 0, 2, 4]
    narrow, broad = (concluded(bowl(k), places) for k in (100, 4))
    assert narrow.suggestion == broad.suggestion == pytest.approx(1e-3)
    assert narrow.confidence == pytest.approx(0.25 / 0.5)
    assert broad.confidence == pytest.approx(1.25 / 1.5)
    assert broad.reason.endswith("best of 7 rates in 120 steps")


def test_the_highest_rate_that_is_the_best_halves_the_confidence():
    found = concluded(bowl(100), [-6, -4, -2, 0])
    assert found.confidence == pytest.approx(0.25 / 0.5 / 2)
    assert found.reason.endswith("; the highest is the best: raise end")


def test_a_rate_that_was_behind_those_that_diverged_has_half_the_confidence():
    left = {-4: "behind", -2: "behind", 0: "behind", 2: "diverged", 4: "diverged"}
    found = concluded(bowl(100), left, out=left)
    assert found.suggestion == pytest.approx(1e-3)
    assert found.confidence == pytest.approx(0.25 / 0.5 / 2)
    assert found.reason.endswith(
        "; best of 5 rates in 120 steps, as all others diverged"
    )


def test_without_a_batch_in_common_there_is_no_confidence():
    """Where a rate has a loss, the first params have NaN: no difference is known."""
    places = [-4, -2, 0, 2, 4]
    sweep = v_sweep()
    race = _standings.Standings(STEPS)
    race.anchor = 1e-3
    race.resting.losses, race.resting.out = [20.0, math.nan] * (STEPS // 2), "behind"
    for place in places:
        losses = [math.nan, bowl(4)(place)] * (STEPS // 2)
        race.racers[place] = _racer.Racer(place, losses=losses)
    found = _verdict.conclude(sweep, race)
    assert found.suggestion == pytest.approx(1e-3)
    assert found.confidence == 0


def test_a_descent_that_may_be_chance_halves_the_confidence():
    """The steps' losses swing by 5, so that one of 0.5 is not clear."""

    def confidence(descent, swing):
        found = concluded(lambda place: 20 - descent + abs(place), [-4, 0, 4], swing)
        return found.confidence, "no clear descent" in found.reason

    n = STEPS // 2  # the latter half is compared
    error = 5 / math.sqrt(n - 1)
    sure = 0.5 / (0.5 + error)
    unsure = confidence(0.5, 5.0)
    assert unsure == (pytest.approx(sure * 0.25 / 0.5 / 2, rel=1e-12), True)
    assert not confidence(0.5, 0.0)[1]


def test_no_rate_descends_only_if_that_is_not_by_chance():
    def reason(rise, swing):
        return concluded(lambda place: 20 + rise + abs(place), [-4, 0, 4], swing).reason

    assert reason(0.5, 5.0).startswith("flat: raise end, or look at the gradients")
    assert reason(5.0, 5.0).endswith(
        "no rate descends: look at the gradients and their sign"
    )


def test_evaluations_are_those_of_the_sweeps_and_of_all_trials():
    found = concluded(bowl(4), [-2, 0, 2], spent=7)
    assert found.evaluations == 7 + 100 + 4 * STEPS


# --- rules, on more curves ------------------------------------------------------------


def longest_fall(losses):
    """The length of the longest decreasing subsequence, and the first end of one."""
    best = []
    for k, loss in enumerate(losses):
        best.append(
            1
            + max(
                (b for b, x in zip(best, losses[:k], strict=True) if x > loss),
                default=0,
            )
        )
    return max(best), best.index(max(best))


@pytest.mark.parametrize("seed", range(20))
def test_valley_of_any_curve(seed):
    rng = np.random.default_rng(seed)
    losses = rng.normal(-0.1, 1, 60).cumsum()
    lrs = np.geomspace(1e-6, 1, 60)
    length, end = longest_fall(losses.tolist())
    at = end - length + int(length / 3) + int(length / 6)
    assert _rules.valley(lrs, losses) == lrs[at]


def test_slide_of_a_curve_that_ends_flat_is_where_the_interval_began():
    lrs = np.geomspace(1e-6, 1, 60)
    losses = np.r_[np.linspace(3, 1, 30), [1.0] * 30]
    assert _rules.slide(lrs, losses) == lrs[-16]
