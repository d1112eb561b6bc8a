"""A loss that a monitor takes to have no meaning, and what series of a policy say."""

import numpy as np
from watching import kinds, watched

from lrcore import Monitor

NOISE = np.random.default_rng(0).normal(size=300)


def judged(losses):
    return "not judged" not in kinds(watched(list(losses), lr=0.1).diagnose())


def test_a_loss_that_falls_into_its_noise_about_0_has_a_meaning():
    """It began above the noise."""
    assert not judged(NOISE)
    assert judged(NOISE + 3 * (np.arange(300) < 15))


def test_a_loss_about_0_is_above_and_below_it_alike():
    noise = np.random.default_rng(1).laplace(size=2000)
    assert not judged(noise)
    assert judged(noise + 0.6)  # three of four are above 0


def test_noise_that_grows_does_not_hide_a_loss():
    """What counts is at most 10 times the noise of the first steps."""
    grown = np.minimum(100 ** (np.arange(300) / 60), 100)
    assert judged(grown * NOISE)


def of_policy(steps, **series):
    monitor = Monitor(kind="policy")
    for k in range(steps):
        told = {name: value(k / steps) for name, value in series.items()}
        monitor.update(NOISE[k], lr=0.1, **told)
    return {f.kind: f for f in monitor.diagnose()}


def test_a_value_function_has_40_steps_to_learn():
    kinds = [of_policy(n, explained_variance=lambda x: -0.3) for n in (39, 40)]
    assert ["value function" in found for found in kinds] == [False, True]


def test_what_counts_is_the_last_quarter_of_a_series():
    large = of_policy(200, kl=lambda x: 0.08 if x < 0.95 else 0.01)
    assert "0.08 nats" in large["large policy steps"].evidence
    assert large["large policy steps"].since == 151
    assert "large policy steps" not in of_policy(
        200, kl=lambda x: 0.08 if x < 0.85 else 0.01
    )
