"""Losses that stay, without reports: of too low a rate, or at the floor."""

import numpy as np
import pytest
from watching import check_all, kinds, noisy, watched

from lrcore.monitor import _scores

STEPS = 400


def levels(amplitude, steps=STEPS):
    """Losses about 2 that swing three times, and end as they began."""
    return [2 + amplitude * np.cos(6 * np.pi * k / steps) for k in range(steps)]


def calls_none_too_low(monitor):
    found = [*monitor.findings, *monitor.diagnose()]
    return all(finding.rate != "too low" for finding in found)


def wander(monitor):
    return _scores.numbers(monitor._watched().summary())["wander"]


@pytest.mark.parametrize("seed", range(5))
def test_losses_that_differ_by_their_batches_alone_mean_a_rate_too_low(seed):
    monitor = watched(noisy(levels(0.0), seed=seed))
    assert monitor.rate() == "too low"
    assert kinds(monitor.findings) == ["flat"]
    assert abs(wander(monitor)) < 0.3
    check_all(monitor)


@pytest.mark.parametrize("seed", range(5))
def test_levels_that_wander_tell_that_the_params_move(seed):
    """By 15 % of the loss, where the noise of a level is some 2 %."""
    monitor = watched(noisy(levels(0.3), size=0.1, seed=seed))
    assert calls_none_too_low(monitor)
    assert wander(monitor) > 0.5
    stays = watched(noisy(levels(0.0), size=0.1, seed=seed))
    assert stays.rate() == "too low"


@pytest.mark.parametrize("seed", range(5))
def test_noise_that_hides_the_way_to_go_says_nothing_of_a_rate(seed):
    monitor = watched(noisy(levels(0.0), size=0.4, seed=seed))
    assert calls_none_too_low(monitor)
    # Beside a way that is a hundred times as long, the same noise hides nothing.
    far = watched(noisy(levels(0.0), size=0.004, seed=seed))
    assert far.rate() == "too low"


@pytest.mark.parametrize("unit", [1e-300, 1.0, 1e300])
def test_a_straight_line_does_not_wander_whatever_its_slope_and_unit(unit):
    for slope in (0.0, 1e-6, -0.3, 0.5):
        losses = [unit * (2 + slope * k / STEPS) for k in range(STEPS)]
        assert wander(watched(losses)) < -0.5, slope
