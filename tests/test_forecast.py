"""What bench/forecast.py foretells of losses that follow its laws."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "bench"))
forecast = importlib.import_module("forecast")

STEPS = 900


def curve(schedule, losses):
    rates = forecast.SCHEDULES[schedule](STEPS)(np.arange(STEPS))
    sums = np.cumsum(rates) - rates
    return forecast.Curve(("", "", ""), "", schedule, losses(sums), rates)


@pytest.mark.parametrize("schedule", forecast.SCHEDULES)
@pytest.mark.parametrize("level", [0.0, 2.0, -5.0])
def test_a_power_law_is_continued(schedule, level):
    """One whose alpha and s are between those of the grid, and whose bins are not
    points: within 2 % of the descent.
    """
    these = curve(schedule, lambda s: level + 3 * (1 + s / 20) ** -0.7)
    assert forecast.power(these) == pytest.approx(these.last, abs=0.06)


def test_a_rate_that_falls_brings_the_loss_further_down():
    these = curve("WSD", lambda s: 1 + (1 + s / 20) ** -0.7)
    told = [forecast.power(these, fall, c=1.0) for fall in (0.0, 0.5, 1.0)]
    assert told[0] > told[1] > told[2] > 1 - 0.1


@pytest.mark.parametrize("schedule", forecast.SCHEDULES)
@pytest.mark.parametrize(("level", "size"), [(0.0, 1.0), (2.0, 3.0), (-5.0, 0.1)])
def test_curves_that_collapse_are_told_by_each_other(schedule, level, size):
    """Of another floor and size, but one shape: to rounding."""
    other = curve("cosine" if schedule == "WSD" else "WSD", np.negative)
    shape = [curve(schedule, lambda s: 9 - 2 * (1 + s / 20) ** -0.7), other]
    these = curve(schedule, lambda s: level + size * (1 + s / 20) ** -0.7)
    told = forecast.collapse(these, forecast.left(shape))
    assert told == pytest.approx(these.last, rel=1e-9, abs=1e-9)


def test_constants_are_those_of_the_runs():
    """Half of what is left when two thirds are to come goes with the rate."""

    def losses(sums):
        law = (1 + sums / 20) ** -0.7
        rates = forecast.SCHEDULES["WSD"](STEPS)(np.arange(STEPS))
        return 1 + law - 0.5 * law[STEPS // 3] * (1 - rates)

    these = [curve("WSD", losses)]
    b, c = forecast.constants(these)
    assert 0.5 <= b <= 0.75  # of which the schedule brings about a part
    (told,) = forecast.errors(lambda x: forecast.power(x, b, c), these)
    (alone,) = forecast.errors(forecast.power, these)
    assert told < 0.01 < alone
