"""The trials of a range test: which rates are tried, and which is chosen."""

import math

import numpy as np
import pytest

import lrcore
from lrcore import LRSweep, lr_find
from lrcore.finder import _curve, _trials, _verdict


def tried(losses_of, guess=1e-3, start=1e-7, end=10.0):
    """The rates of the trials of 10 steps, and the choice.

    losses_of : the loss of a rate, in step k.
    """
    trials = _trials.Trials(start, end, 10)
    sweep = _curve.Curve(np.geomspace(start, 1.0, 100), 0.0, math.inf)
    for lr in sweep.lrs:
        sweep.add(abs(math.log10(lr / (10 * guess))) + 1)
    trials.begin(sweep)
    rates = []
    while (trial := trials.next()) is not None:
        lr, steps = trial
        rates += [lr] if steps == 10 else []
        curve = _curve.Curve(np.full(steps, lr), 0.9, 4.0)
        for k in range(steps):
            curve.add(losses_of(lr, k))
        trials.add(curve)
        assert len(rates) < 99
    return rates, trials.rate(trials.chosen)


@pytest.mark.parametrize("best", [1e-6, 3e-4, 1e-3, 0.05, 2.0])
def test_trials_end_a_quarter_decade_from_the_best(best):
    rates, choice = tried(lambda lr, _: 1 + math.log10(lr / best) ** 2)
    assert len(rates) == len(set(rates))
    # The nearest place of the lattice, or the next lower: 2 % of 9 are 0.4 decades.
    assert -0.7 < math.log10(choice / best) < 0.13
    assert all(
        min(abs(math.log10(near * choice / lr)) for lr in rates) < 1e-9
        for near in (10**-0.5, 10**0.5)
        if choice == min(rates, key=lambda lr: abs(math.log10(lr / best)))
    )


def test_trials_that_diverge_lead_to_lower_rates():
    _, choice = tried(lambda lr, _: math.inf if lr > 1e-5 else 1 / (1 + lr * 1e6))
    assert choice <= 1e-5
    assert choice * 10**0.5 > 1e-5


def test_trials_stay_within_start_and_end():
    rates, choice = tried(lambda lr, _: 2 - math.log10(lr), end=0.05)
    assert max(rates) <= 0.05 < max(rates) * 10**0.5
    assert choice == max(rates)


def test_what_does_not_hold_for_longer_is_left_for_a_lower_rate():
    """Rates above 1e-4 rise in step 20; in the 10 of a trial they are the better."""

    def loss(lr, k):
        return 100.0 if lr > 1e-4 and k >= 20 else 1 + abs(math.log10(lr / 1e-3))

    assert tried(loss)[1] <= 1e-4 < 10**0.25 * tried(loss)[1]


@pytest.mark.parametrize("seed", range(5))
def test_noise_without_descent_is_told_with_little_confidence(seed):
    """The sweep diverges, so that there is a rate to tell; the trials ascend."""
    rng = np.random.default_rng(seed)
    opt = lrcore.SGD(np.zeros(1))
    parts = 0
    with LRSweep(opt, trial_steps=20) as sweep:
        for lr in sweep:
            parts += sweep.begins
            rising = 100.0 if lr > 1 else 0.5 if parts > 1 else 0.0
            sweep.record(2 + rising + rng.normal(0, 0.3))
    found = sweep.result
    assert found.reason.startswith("diverged at 1")
    assert "no clear descent" in found.reason
    assert 0 <= found.confidence < 0.5
    assert 1e-7 <= found.suggestion <= 1


def test_where_every_trial_diverges_start_is_too_high():
    """A sweep that diverges late, as each of its rates is taken only once."""
    opt = lrcore.SGD(np.zeros(1))
    with LRSweep(opt, 0.1, 1.0, trial_steps=20) as sweep:
        falling = iter(np.linspace(3, 1, 100))
        for _ in sweep:
            sweep.record(next(falling, math.nan))
    assert math.isnan(sweep.result.suggestion)
    assert sweep.result.reason == "no divergence up to 1; no trial held: lower start"


def after_trials(scores, first):
    """The result after trials of these losses, at rising rates."""
    trials = _trials.Trials(1e-7, 10.0, 20)
    sweep = _curve.Curve(np.geomspace(1e-7, 1.0, 100), 0.0, math.inf)
    for loss in [*[first] * 5, 100.0, *np.linspace(first, 1, 53), math.nan]:
        sweep.add(loss)
    trials.begin(sweep)
    trials.scores = dict(enumerate(scores))
    return _verdict.conclude(sweep, trials), trials


@pytest.mark.parametrize(
    ("scores", "chosen", "words"),
    [
        ([2.0, 1.0, 3.0], 1, "best of 3 trials of 20 steps"),
        ([1.01, 1.0, 3.0], 0,
         "lowest rate within 2 % of the best of 3 trials of 20 steps"),
        ([1.0], 0, "best of 1 trial of 20 steps; the highest is the best: raise end"),
    ],
)  # fmt: skip
def test_the_trial_that_is_suggested_is_named_for_what_it_is(scores, chosen, words):
    result, trials = after_trials(scores, first=4.0)
    assert result.suggestion == trials.rate(chosen)
    assert result.reason.split("; ", 1)[1].endswith(words)


def test_what_is_suggested_is_what_was_held():
    """Of 60 losses, the last not finite: their first tenth is 6, of 59 it is 5."""
    result, trials = after_trials([1.3, 1.0, 3.0], first=4.0)
    assert trials.first == 20.0  # 5 losses of 4 and one of 100
    assert result.suggestion == trials.rate(trials.chosen) == trials.rate(0)


def test_an_optimizer_that_maximizes_ascends():
    w, target = np.zeros(3), np.array([1.0, -2.0, 3.0])
    opt = lrcore.SGD(w, maximize=True)

    def objective(_):
        return 9 - 0.5 * ((w - target) ** 2).sum(), target - w

    found = lr_find(opt, objective, [0])
    assert found.losses[0] == -2.0
    assert 0.01 < found.suggestion < 2  # with a curvature of 1 all below 2 converge


def test_of_rates_as_good_the_lowest_is_chosen():
    _, choice = tried(lambda lr, _: 1.0 if 9e-5 < lr < 1.1e-2 else 5.0)
    assert choice < 1e-3


def noisy_quadratic():
    """Curvatures from 1 to 30, noise in the gradient."""
    h = np.geomspace(1, 30, 8)
    w = np.ones(8)
    noise = np.random.default_rng(2).normal(0, 0.05, (300, 8))
    return w, (lambda z: (0.5 * w @ (h * w) + w @ z, h * w + z)), noise


@pytest.mark.parametrize("kind", ["SGD", "Adam", "Lion"])
def test_the_suggestion_trains_about_as_well_as_the_best_of_a_grid(kind):
    """By 95 % of the descent of the best of 13 rates, which is what the bench asks."""

    def descent(lr):
        w, loss_and_grad, noise = noisy_quadratic()
        opt = getattr(lrcore, kind)(w, lr=lr)
        first = loss_and_grad(0 * noise[0])[0]
        with np.errstate(all="ignore"):
            for z in noise:
                opt.step(loss_and_grad(z)[1])
            last = loss_and_grad(0 * noise[0])[0]
        return first - last if np.isfinite(last) else -np.inf

    w, loss_and_grad, noise = noisy_quadratic()
    found = lr_find(getattr(lrcore, kind)(w), loss_and_grad, noise[::-1])
    best = max(map(descent, np.geomspace(1e-5, 10, 13)))
    assert descent(found.suggestion) >= 0.95 * best
    assert found.confidence > 0.5
