"""The race of a range test: which rates run how far, and which is chosen."""

import math

import numpy as np
import pytest

import lrcore
from lrcore import LRSweep, lr_find
from lrcore.finder import (
    _compared,
    _curve,
    _guess,
    _neighbours,
    _race,
    _racer,
    _standings,
    _verdict,
)

STEPS = 120


def curve(guess):
    """A sweep whose least loss is at ten times the guess."""
    sweep = _curve.Curve(np.geomspace(1e-7, 10.0, 100), 0.0, math.inf)
    for lr in sweep.lrs:
        sweep.add(abs(math.log10(lr / (10 * guess))) + 1)
    return sweep


def ran(losses_of, guess=1e-3, start=1e-7, end=10.0, first=20.0, noise=0.0, **more):
    """The standings of a race that has been run.

    losses_of : the loss of a rate in step k; the first params' is `first`.
    noise : of the batches, which all rates see.
    """
    race = _race.Race(start, end, STEPS, **more)
    batches = noise * np.random.default_rng(0).normal(size=2 * STEPS)
    for leg in race.legs(curve(guess), 4.0):
        racer, lr = leg.racer, race.standings.rate_of(leg.racer)
        while len(racer.losses) < leg.end and not racer.fails():
            k = len(racer.losses)
            racer.losses.append((losses_of(lr, k) if lr else first) + batches[k])
    return race.standings


def towards(best):
    """Losses that fall fast to a level, which is least at this rate."""
    return lambda lr, k: 1 + math.log10(lr / best) ** 2 + 9 * 0.8**k


@pytest.mark.parametrize("noise", [0.0, 1.0])
@pytest.mark.parametrize("best", [1e-6, 3e-4, 1e-3, 0.05, 2.0])
def test_the_best_rate_wins_to_a_quarter_of_a_decade(best, noise):
    race = ran(towards(best), noise=noise)
    assert abs(math.log10(race.rate(race.chosen) / best)) <= 0.25 + 1e-9
    assert len(race.winner.losses) in (2 * STEPS // 3, STEPS)
    places = set(race.racers)
    assert {race.winner.place - 2, race.winner.place + 2} <= places


def test_rates_far_behind_train_one_leg_and_neighbours_longer():
    race = ran(towards(3e-2))
    lengths = {place: len(racer.losses) for place, racer in race.racers.items()}
    best = race.winner.place
    assert lengths[best] == 2 * STEPS // 3  # the race ends when it is the last one
    assert lengths[best + 2] == STEPS // 2
    assert all(n == STEPS // 6 for place, n in lengths.items() if place < best - 4)
    assert race.resting.out == "behind"
    assert len(race.resting.losses) == STEPS // 12


def test_a_rate_that_never_raced_catches_up_if_its_neighbour_comes_to_lead():
    """The leader of the first leg is at 1e-3, later ones are two places lower."""

    def loss(lr, k):
        late = {-2: 30, -4: 50}.get(round(4 * math.log10(lr / 1e-3)), 0)
        if lr > 2e-3 or lr < 5e-5:
            return 9.5
        return 9.0 - 0.01 * k if k < late or not late else 3.0 - late / 50

    race = ran(loss, first=10.0)
    assert race.racers[0].out == race.racers[-2].out == "behind"
    assert race.winner.place == -4
    assert {-4, -6} <= set(race.racers)


def test_the_race_goes_on_to_its_end_while_two_are_undecided():
    race = ran(lambda lr, k: 1 + 9 * 0.9**k, noise=1.0, first=10.0)
    assert len(race.live) == 1  # equal ones are as good as one
    rng = np.random.default_rng(1)
    race = ran(lambda lr, k: 1 + 9 * 0.9**k + 9 * rng.normal(), first=10.0)
    assert len(race.winner.losses) == STEPS


def test_a_patient_race_keeps_neighbours_to_the_end():
    race = ran(towards(3e-2), patient=True)
    best = race.winner.place
    assert [len(race.racers[best + d].losses) for d in (-2, 0, 2)] == [STEPS] * 3


def test_a_lower_rate_that_catches_up_is_not_given_up():
    """It is behind after half of the race, and wins in the end."""

    def loss(lr, k):
        if lr < 5e-4:
            return 10 - 0.1 * k
        return 6 - 0.025 * k + (9.0 if lr > 2e-3 else 0.0)

    race = ran(loss, first=11.0)
    assert race.rate(race.winner.place) < 5e-4


def test_rates_that_diverge_lead_to_lower_ones_and_cost_little():
    race = ran(lambda lr, k: 1e9 if lr > 1e-5 else 10 - k * (0.01 + 1e3 * lr))
    assert 10**-0.5 <= race.rate(race.winner.place) / 1e-5 <= 1
    gone = [racer for racer in race.racers.values() if racer.out == "diverged"]
    assert len(gone) >= 3
    assert all(len(racer.losses) == 4 for racer in gone)  # a fifth of a leg of 20


def test_three_losses_that_are_not_finite_end_a_trial_but_fewer_do_not():
    def loss(lr, k):
        if k % 5 in ((0, 1, 2) if lr > 2e-3 else (0, 1)):
            return math.nan
        return towards(1e-3)(lr, k)

    race = ran(loss)
    assert race.winner.place == 0
    assert race.racers[2].out == "diverged"
    assert len(race.racers[2].losses) == 3


def test_spikes_do_not_decide():
    spikes = {7: 1e4, 23: 1e4, 55: 1e4, 58: 1e4}
    plain = ran(towards(1e-3))
    spiky = ran(lambda lr, k: towards(1e-3)(lr, k) + spikes.get(k, 0.0) * (lr < 2e-3))
    assert spiky.chosen == plain.chosen


def test_where_good_rates_raise_the_loss_at_first_the_race_waits():
    """As those of an optimizer whose state is 0 do, near the optimum."""

    def loss(lr, k):
        bump = 300 * lr * 0.7**k
        return 1 - 1e-3 * k * (lr / 1e-3) ** 0.3 + bump + 9 * max(0, lr - 5e-3)

    race = ran(loss, first=1.0)
    assert race.rate(race.winner.place) >= 1e-3
    assert min(race.racers) >= -2  # it did not flee to lower rates


def test_rates_stay_within_start_and_end():
    race = ran(lambda lr, k: 12 - math.log10(lr) - 0.1 * k, end=0.05)
    rates = [race.rate(place) for place in race.racers]
    assert max(rates) <= 0.05 < max(rates) * 10**0.5
    assert race.rate(race.winner.place) == max(rates)
    narrow = ran(towards(1e-3), start=1.2e-3, end=1.5e-3)
    (rate,) = map(narrow.rate, narrow.racers)
    assert 1.2e-3 <= rate <= 1.5e-3


def test_two_as_good_rates_give_the_one_between():
    best = 10**-2.75
    race = ran(lambda lr, k: 1 + abs(math.log10(lr / best)) + 9 * 0.8**k)
    assert race.rate(race.winner.place) != pytest.approx(best)
    assert race.rate(race.chosen) == pytest.approx(best)


def test_if_the_last_ones_diverge_late_a_lower_rate_is_told():
    def loss(lr, k):
        if lr > 2e-3 or (lr > 5e-4 and k >= 100):
            return 1e9
        return 10 - k * min(100 * lr, 0.1)

    race = ran(loss, longest=2 * STEPS)
    assert not race.live
    assert race.winner.out == "behind"
    assert race.rate(race.winner.place) < 5e-4
    result = _verdict.conclude(curve(1e-3), race)
    assert result.suggestion == race.rate(race.winner.place)
    assert "all others diverged" in result.reason
    assert result.confidence < 0.5


def test_with_a_total_the_winner_is_run_on_if_it_may_diverge():
    def loss(lr, k, late=False):
        if lr > 2e-3 or (late and lr > 5e-4 and k > 150):
            return 1e9
        return 10 - min(k, 100) * (0.01 + 50 * lr)

    race = ran(loss, longest=240)
    assert len(race.winner.losses) == 240
    assert race.winner.place == race.chosen == 0
    fails = ran(lambda lr, k: loss(lr, k, late=True), longest=240)
    assert fails.racers[0].out == "diverged"
    assert fails.winner.place == -2
    calm = ran(towards(1e-3), longest=240)
    assert len(calm.winner.losses) <= STEPS


def test_a_racer_that_closes_up_is_not_behind():
    leader, racer = _racer.Racer(0), _racer.Racer(2)
    leader.losses = [1.0] * 40
    racer.losses = [1 + 0.01 * (60 - k) for k in range(40)]
    assert not _compared.trend(racer, leader).lasts(100)
    assert _compared.trend(racer, leader).lasts(50)  # too late
    racer.losses = [1.2] * 40
    assert _compared.trend(racer, leader).lasts(100)


def racer(place, level, out=""):
    """One that has taken 60 steps at this level."""
    made = _racer.Racer(place, out=out)
    made.losses = [level] * 60
    return made


@pytest.mark.parametrize(
    ("below", "above", "expected"),
    [
        (racer(-2, 1.5), racer(2, 1.5), 0),
        (racer(-2, 1.5), racer(2, 1.04), 1),
        (racer(-2, 1.04), racer(2, 1.5), -1),
        (racer(-2, 9.0), racer(2, 1.2), 0),  # at most the descent counts: 1
        (racer(-2, 1.04), racer(2, 9.0, "diverged"), -1),
        (racer(-2, 1.2), racer(2, 9.0, "diverged"), 0),
        (None, racer(2, 1.04), 1),
        (None, racer(2, 1.06), 0),
        (racer(-2, 1.04), None, -1),
        (None, None, 0),
    ],
)
def test_the_suggestion_leans_to_a_neighbour_that_is_nearly_as_good(
    below, above, expected
):
    best = racer(0, 1.0)
    assert _neighbours.between(best, below, above, descent=1.0) == expected
    assert _neighbours.between(best, below, above, descent=0.0) == 0


def test_where_the_batches_end_in_a_turn_rates_are_compared_at_common_steps():
    """The rate that ran first has 40 steps; the other one, which is better, 25."""
    race = _standings.Standings(STEPS)
    race.racers = {place: _racer.Racer(place) for place in (-2, 0, 2)}
    race.racers[-2].losses = [3.0 - 0.05 * k for k in range(40)]
    race.racers[0].losses = [2.5 - 0.05 * k for k in range(25)]
    race.racers[2].losses = [0.1] * 3  # it has just begun
    assert race.winner.place == 0


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lrcore.SGD, 0.25),
        (lambda w: lrcore.SGD(w, momentum=0.9), -0.25),
        (lrcore.Lion, -0.25),
        (lrcore.RMSprop, 0.0),
        (lrcore.AdamW, -0.5),
        (lrcore.Adagrad, 0.25),
    ],
)
def test_the_race_begins_where_the_best_rate_of_the_optimizer_usually_is(
    made, expected
):
    assert math.log10(_guess.usual(made(np.ones(2)))) == pytest.approx(expected)


# --- with an optimizer ----------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_noise_without_descent_gives_none_or_little_confidence(seed):
    """The sweep diverges; the trials do not descend."""
    rng = np.random.default_rng(seed)
    opt = lrcore.SGD(np.zeros(1))
    with LRSweep(opt, trial_steps=60) as sweep:
        for lr in sweep:
            sweep.record(2 + (100.0 if lr > 1 else 0.0) + rng.normal(0, 0.3))
    found = sweep.result
    assert math.isnan(found.suggestion) or "no clear descent" in found.reason
    assert 0 <= found.confidence < 0.5


def test_where_every_trial_diverges_start_is_too_high():
    """A sweep that diverges late, as each of its rates is taken only once."""
    opt = lrcore.SGD(np.zeros(1))
    with LRSweep(opt, 0.1, 1.0, trial_steps=20) as sweep:
        falling = iter(np.linspace(3, 1, 100))
        for lr in sweep:
            sweep.record(next(falling, math.nan if lr else 3.0))
    assert math.isnan(sweep.result.suggestion)
    assert sweep.result.reason == "no divergence up to 1; no trial held: lower start"


def test_an_optimizer_that_maximizes_ascends():
    w, target = np.zeros(3), np.array([1.0, -2.0, 3.0])
    opt = lrcore.SGD(w, maximize=True)

    def objective(_):
        return 9 - 0.5 * ((w - target) ** 2).sum(), target - w

    found = lr_find(opt, objective, [0])
    assert found.losses[0] == -2.0
    assert 0.01 < found.suggestion < 2  # with a curvature of 1 all below 2 converge


@pytest.mark.parametrize("factor", [math.nan, 100.0])
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_single_bad_batches_do_not_spoil_the_test(kind, factor):
    w, loss_and_grad, noise = noisy_quadratic()
    opt = getattr(lrcore, kind)(w)
    plain = lr_find(opt, loss_and_grad, noise)
    opt = getattr(lrcore, kind)(w, clip_norm=30.0)
    bad = np.random.default_rng(0).random(len(noise)) < 0.02

    def spoiled(k):
        loss, g = loss_and_grad(noise[k])
        return (factor * loss, factor * g) if bad[k] else (loss, g)

    found = lr_find(opt, spoiled, range(len(noise)))
    assert abs(math.log10(found.suggestion / plain.suggestion)) <= 0.5
    assert found.confidence > 0.5


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_rates_out_of_the_default_range_are_found_unless_it_was_asked_for(scale):
    """Losses of 1e8 and 1e-8, which SGD's rates have to make up for."""
    w, loss_and_grad, noise = noisy_quadratic()

    def scaled(z):
        loss, grad = loss_and_grad(z)
        return scale * loss, scale * grad

    opt = lrcore.SGD(w)
    plain = lr_find(opt, loss_and_grad, noise)
    found = lr_find(opt, scaled, noise)
    assert abs(math.log10(found.suggestion * scale / plain.suggestion)) <= 0.5
    assert found.confidence > 0.5
    asked = lr_find(opt, scaled, noise, 1e-7, 10.0)
    assert math.isnan(asked.suggestion) or 1e-7 <= asked.suggestion <= 10
    assert "raise end" in asked.reason if scale < 1 else "lower start" in asked.reason


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
