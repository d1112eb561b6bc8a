"""A range test for the training to come: a score, a schedule, a number of steps."""

import math

import numpy as np
import pytest

import lrcore
from lrcore import LRSweep, lr_find
from lrcore.finder import _horizon
from lrcore.schedules import Cosine


def hidden():
    """A model whose loss says nothing: it is 0, and its gradient is right."""
    w, target = np.zeros(4), np.array([1.0, -2.0, 3.0, 0.5])
    noise = np.random.default_rng(0).normal(0, 0.05, (40, 4))

    def loss_and_grad(z):
        return 0.0, w - target + z

    def error():
        return float((w - target) @ (w - target)) / 2

    return w, loss_and_grad, noise, error


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("every", [1, 10])
def test_the_score_takes_the_place_of_the_loss(every, maximize):
    w, loss_and_grad, noise, error = hidden()
    opt = lrcore.SGD(w, maximize=maximize)
    sign = -1 if maximize else 1

    def ascends(z):
        loss, grad = loss_and_grad(z)
        return loss, sign * grad

    calls = []

    def score():
        calls.append(opt.t)
        return -error()

    found = lr_find(opt, ascends, noise, score=score, score_every=every)
    assert 0.01 < found.suggestion < 1
    assert found.confidence > 0.5
    assert found.losses[0] == error() == 7.125  # the opposite of the score
    number = len(calls)
    assert number == found.evaluations if every == 1 else number < found.evaluations / 5
    assert math.isnan(lr_find(opt, ascends, noise).suggestion)  # by the loss


def test_a_higher_score_is_better():
    """A score that falls with the error leads to no rate."""
    w, loss_and_grad, noise, error = hidden()
    found = lr_find(lrcore.SGD(w), loss_and_grad, noise, score=error)
    assert math.isnan(found.suggestion)


def test_a_loss_that_is_not_finite_still_ends_a_trial():
    w, loss_and_grad, noise, _ = hidden()
    opt = lrcore.SGD(w)

    def breaks(z):
        loss, grad = loss_and_grad(z)
        return (math.nan if opt.lr > 0.2 else loss), grad

    found = lr_find(opt, breaks, noise, score=lambda: 1.0 - (w[0] - 1) ** 2)
    assert found.suggestion <= 0.2
    assert "not finite" in found.reason


def test_trials_run_through_the_whole_schedule():
    w = np.ones(3)
    opt = lrcore.SGD(w)
    cosine = Cosine(0.3, total=5000)
    trials = {}
    with LRSweep(opt, trial_steps=48, schedule=cosine, total=5000) as sweep:
        for lr in sweep:
            if lr > 0:
                trials.setdefault(sweep.at, []).append(lr)
            sweep.record(w @ w / 2)
            opt.step(w.copy())
    found = sweep.result
    at = np.round(np.linspace(0, 4999, 48)).astype(int)
    shares = np.array([cosine(k) for k in at]) / 0.3
    assert shares[0] == 1
    assert 0 < shares[-1] < 1e-6
    whole = found.trial_lrs[found.trial_steps == 48]
    assert len(whole) > 1  # neighbours stay in
    for peak in whole:
        for k in range(48):
            assert any(lr == pytest.approx(peak * shares[k]) for lr in trials[k])


def test_the_peak_of_a_cosine_is_above_the_best_constant_rate():
    """Where noise limits the constant rate."""
    h = np.geomspace(1, 30, 8)
    w = np.ones(8)
    noise = np.random.default_rng(2).normal(0, 1.0, (300, 8))

    def loss_and_grad(z):
        return 0.5 * w @ (h * w) + w @ z, h * w + z

    opt = lrcore.Adam(w)
    constant = lr_find(opt, loss_and_grad, noise)
    peak = lr_find(
        opt, loss_and_grad, noise, schedule=Cosine(1.0, total=300), total=300
    )
    assert peak.suggestion > constant.suggestion


def test_trials_are_not_longer_than_the_training():
    w, loss_and_grad, noise, error = hidden()
    opt = lrcore.SGD(w)
    short = lr_find(opt, loss_and_grad, noise, score=lambda: -error(), total=40)
    assert 20 < max(short.trial_steps) <= 40
    least = lr_find(opt, loss_and_grad, noise, score=lambda: -error(), total=3)
    assert 10 < max(least.trial_steps) <= 20
    long = lr_find(opt, loss_and_grad, noise, score=lambda: -error(), total=10**6)
    assert 200 <= max(long.trial_steps) <= 300


def test_the_winner_is_run_on_up_to_the_total_where_higher_rates_diverge():
    h, w = np.geomspace(1, 1000, 8), np.ones(8)
    found = [
        lr_find(lrcore.SGD(w), lambda _: (w @ (h * w) / 2, h * w), [0], total=total)
        for total in (300, 500, 5000)
    ]
    assert [max(each.trial_steps) for each in found] == [300, 500, 900]
    assert len({each.suggestion for each in found}) == 1
    opt = lrcore.SGD(w)
    adopted = lr_find(opt, lambda _: (w @ (h * w) / 2, h * w), [0], total=500)
    adopted.adopt(opt)
    assert opt.t == 500


def test_shares_are_of_the_highest_rate():
    shares = _horizon.shares(lambda k: 2.0 + k, 11, 3)
    assert shares == [2 / 12, 7 / 12, 1.0]
    assert _horizon.shares(None, 11, 3) == []
    assert _horizon.shares(Cosine(1.0, total=9), 9, 0) == []  # without trials


@pytest.mark.parametrize(
    "wrong",
    [
        lambda k: 1.0 - k,
        lambda k: math.inf if k == 10 else 1.0,
        lambda k: math.nan if k == 5 else 1.0,
    ],
)
def test_rates_below_0_or_not_finite_are_refused(wrong):
    with pytest.raises(ValueError, match=r"^schedule: expected finite rates >= 0"):
        _horizon.shares(wrong, 11, 3)


@pytest.mark.parametrize("total", [20, 60, 100])
def test_a_short_trial_asks_for_the_score_often_enough_to_tell(total):
    w, loss_and_grad, noise, error = hidden()
    found = lr_find(
        lrcore.SGD(w), loss_and_grad, noise, score=lambda: -error(), total=total
    )
    assert 0.01 < found.suggestion < 2
    assert found.confidence > 0.5


def test_a_score_asked_for_too_seldom_is_asked_for_more_often():
    w, loss_and_grad, noise, error = hidden()
    ten, many = (
        lr_find(
            lrcore.SGD(w), loss_and_grad, noise, score=lambda: -error(), score_every=k
        )
        for k in (10, 400)
    )
    assert ten.suggestion == many.suggestion


@pytest.mark.parametrize("lost", [{0}, {3}, {40, 45, 50}, {*range(1, 200, 5)}])
def test_single_scores_that_are_not_finite_end_nothing(lost):
    """Though each stands for ten steps, and three losses in a row would."""
    w, loss_and_grad, noise, error = hidden()
    calls = [0]

    def score():
        calls[0] += 1
        return math.nan if calls[0] - 1 in lost else -error()

    opt = lrcore.SGD(w)
    found = lr_find(opt, loss_and_grad, noise, score=score)
    whole = lr_find(opt, loss_and_grad, noise, score=lambda: -error())
    assert whole.suggestion / 4 < found.suggestion < whole.suggestion * 4


def test_a_score_that_is_never_finite_is_named():
    w, loss_and_grad, noise, _ = hidden()
    found = lr_find(lrcore.SGD(w), loss_and_grad, noise, score=lambda: math.inf)
    assert "the score is not finite" in found.reason
