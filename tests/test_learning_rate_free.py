"""Optimizers that find their learning rate: their numbers, and whose they are."""

import numpy as np
import pytest
from helpers import KINDS, all_same, close, draw, fresh, same_states

import lrcore
from lrcore._shared.sums import in_order

pytestmark = pytest.mark.isa

GAUGED = [name for name in KINDS if KINDS[name]._gauge]
each_gauged = pytest.mark.parametrize("name", GAUGED)


def found(opt):
    """The numbers that each array's group carries."""
    return [[float(state[name]) for name in opt._carries] for state in opt.state]


def run(opt, params, steps=6):
    for t in range(steps):
        opt.step(draw(params, t))


@each_gauged
@pytest.mark.parametrize("threads", [2, 3])
def test_numbers_do_not_depend_on_threads(name, threads):
    rng = np.random.default_rng(0)
    p, grads = rng.normal(size=100_003), rng.normal(size=(3, 100_003))
    q = p.copy()
    one = KINDS[name](p, num_threads=1)
    two = KINDS[name](q, num_threads=threads)
    two._plan.parallel_from = 1
    for g in grads:
        one.step(g)
        two.step(g)
    assert all_same([p], [q])
    assert same_states(one.state, two.state)


@each_gauged
def test_arrays_share_their_groups_numbers(name):
    """But for L-DoG's, each of which is an optimizer by itself."""
    params = fresh()
    opt = KINDS[name](params)
    run(opt, params)
    alike = [numbers == found(opt)[0] for numbers in found(opt)]
    assert alike == ([True, False, False] if opt._carries_per_array else [True] * 3)
    alone = fresh()
    for k, p in enumerate(alone if opt._carries_per_array else []):
        single = KINDS[name](p)
        for t in range(6):
            single.step(draw(fresh(), t)[k])
        assert all_same([p], [params[k]])


@each_gauged
@pytest.mark.parametrize(
    "options", [{"clip_norm": 1.0}, {"clip_tensor_norm": 1.0}, {"telemetry": True}]
)
def test_sums_are_of_gradients_as_treated(name, options):
    """As if the gradients had come clipped."""
    params, twins = fresh(), fresh()
    opt, twin = KINDS[name](params, **options), KINDS[name](twins)
    for t in range(5):
        grads = draw(params, t)
        opt.step(grads)
        if "clip_norm" in options:
            lrcore.clip_by_global_norm(grads, 1.0)
        elif "clip_tensor_norm" in options:
            for g in grads:
                lrcore.clip_by_global_norm([g], 1.0)
        twin.step(grads)
    for p, q in zip(params, twins, strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-12)
    np.testing.assert_allclose(found(opt), found(twin), rtol=1e-9)


def test_a_report_has_the_rate_that_was_found():
    """By which plain descent goes from the same params to the same ones."""
    for name in ("DoG", "DoWG", "SPS", "SGDHD"):
        params = fresh()
        opt = KINDS[name](params, telemetry=True)
        for t in range(3):
            before = [p.copy() for p in params]
            opt.step(draw(params, t))
            lrcore.SGD(before, lr=opt.report.lr).step(draw(params, t))
            close(params, before)
    p = np.array([3.0, -4.0])
    opt = lrcore.Prodigy(p, telemetry=True)
    for _ in range(50):
        d = float(opt.state[0]["d"])
        opt.step(2 * p)
        assert opt.report.lr == d
    p, q, r = (np.array([3.0, -4.0]) for _ in range(3))
    adam = lrcore.DAdaptAdam(p, lr=0.5, telemetry=True)
    sgd = lrcore.DAdaptSGD(q, lr=0.5, telemetry=True)
    apart = lrcore.LDoG(r, telemetry=True)
    for _ in range(50):
        d, e = float(adam.state[0]["d"]), float(sgd.state[0]["d"])
        before = r.copy()
        adam.step(2 * p)
        sgd.step(2 * q)
        apart.step(2 * r)
        assert adam.report.lr == 0.5 * d
        assert sgd.report.lr == 0.5 * e / 10  # the norm of the first gradient
        lrcore.SGD(before, lr=apart.report.lr).step(2 * before)
        close([r], [before])
    p = np.array([3.0, -4.0])
    opt = lrcore.AdamHD(p, hypergrad_lr=1e-3, telemetry=True)
    mech = lrcore.Adam(p.copy(), lr=0.5, mechanic=True, telemetry=True)
    for _ in range(5):
        opt.step(2 * p)
        mech.step(2 * p)
    assert opt.report.lr == 1e-3 + opt.state[0]["lr_change"]
    assert mech.report.lr == 0.5 * in_order(mech.state[0]["mechanic"][0])
    assert mech.reports("group")[0].lr == mech.report.lr


@each_gauged
def test_a_skipped_step_carries_nothing_on(name):
    params = fresh()
    opt = KINDS[name](params, skip_nonfinite=True)
    run(opt, params, 3)
    before = found(opt)
    grads = draw(params, 3)
    grads[0][0, 0] = np.nan
    assert not opt.step(grads)
    assert found(opt) == before


@each_gauged
def test_gradients_of_zero_move_nothing(name):
    params, first = fresh(), fresh()
    opt = KINDS[name](params)
    for _ in range(3):
        assert opt.step([np.zeros_like(p) for p in params])
    assert all_same(params, first)
    assert np.isfinite(found(opt)).all()


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_sgd_hd_is_the_papers(weight_decay):
    """Algorithm 4, by hand: a package with it there is none."""
    params, p = fresh(), fresh()
    opt = lrcore.SGDHD(params, 0.01, 1e-4, weight_decay=weight_decay)
    alpha, old = 0.01, [np.zeros_like(q) for q in p]
    for t in range(10):
        opt.step(draw(params, t))
        g = [d + weight_decay * q for d, q in zip(draw(p, t), p, strict=True)]
        alpha += 1e-4 * sum((a * b).sum() for a, b in zip(g, old, strict=True))
        p, old = [q - alpha * d for q, d in zip(p, g, strict=True)], g
        close(params, p)
    assert opt.state[0]["lr_change"] == pytest.approx(alpha - 0.01, rel=1e-12)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_adam_hd_is_the_papers(weight_decay):
    """Algorithm 6, by hand."""
    params, p = fresh(), fresh()
    opt = lrcore.AdamHD(params, 0.01, hypergrad_lr=1e-3, weight_decay=weight_decay)
    alpha = 0.01
    m, v, u = ([np.zeros_like(q) for q in p] for _ in range(3))
    for t in range(1, 11):
        opt.step(draw(params, t))
        g = [d + weight_decay * q for d, q in zip(draw(p, t), p, strict=True)]
        alpha += 1e-3 * sum((a * b).sum() for a, b in zip(g, u, strict=True))
        m = [0.9 * a + 0.1 * d for a, d in zip(m, g, strict=True)]
        v = [0.999 * a + 0.001 * d * d for a, d in zip(v, g, strict=True)]
        u = [
            a / (1 - 0.9**t) / (np.sqrt(b / (1 - 0.999**t)) + 1e-8)
            for a, b in zip(m, v, strict=True)
        ]
        p = [q - alpha * d for q, d in zip(p, u, strict=True)]
        close(params, p, rel=1e-11)
    assert opt.state[0]["lr_change"] == pytest.approx(alpha - 0.01, rel=1e-10)


@pytest.mark.parametrize("name", ["DAdaptAdam", "DAdaptSGD", "Prodigy"])
def test_the_estimate_is_of_the_distance_to_the_minimum(name):
    """Of a bowl, from 5 away: no more than that by much, and a fair share of it."""
    p = np.array([3.0, -4.0])
    opt = KINDS[name](p)
    for _ in range(500):
        opt.step(2 * p)
    assert 0.2 * 5 < opt.state[0]["d"] < 2 * 5


def test_decoupled_decay_is_refused_where_p_is_made_anew():
    with pytest.raises(ValueError, match=r"^decoupled_weight_decay: expected False"):
        lrcore.DAdaptSGD(np.ones(2), decoupled_weight_decay=True)


# --- Polyak's step, which takes the loss ----------------------------------------------


def bowl(p):
    """A loss of 0 at the least, and its gradients."""
    return sum(float((q * q).sum()) for q in p), [np.asarray(2 * q) for q in p]


def test_sps_is_the_papers_by_hand():
    """Eq. 3, with the bounds of the rate, over losses on both sides of f_min."""
    params, p = fresh(), fresh()
    opt = lrcore.SPS(params, lr=0.7, f_min=0.5, c=0.2, max_lr=0.3, growth_rate=1.5)
    last, met = 0.3 / 1.5, set()
    for t, loss in enumerate([1e9, 2.0, 40.0, 0.1, 1.0, 1e9, 1e9, 1e9, 3.0]):
        g = draw(p, t)
        assert opt.step(g, loss)
        bounds = {
            "gap": max(loss - 0.5, 0) / (0.2 * sum((d * d).sum() for d in g) + 1e-8),
            "max_lr": 0.3,
            "growth": 1.5 * last,
        }
        rate = min(bounds.values())
        met.add(min(bounds, key=bounds.get))
        last = rate or last
        p = [q - 0.7 * rate * d for q, d in zip(p, g, strict=True)]
        close(params, p)
        assert opt.state[0]["rate"] == pytest.approx(last)
    assert met == {"gap", "max_lr", "growth"}


def test_sps_reaches_the_least_of_a_bowl_where_it_is_known():
    params = fresh()
    opt = lrcore.SPS(params, c=1.0)  # half of the way in each step
    first, _ = bowl(params)
    for _ in range(10):
        loss, grads = bowl(params)
        opt.step(grads, loss)
    assert bowl(params)[0] == pytest.approx(first / 4**10, rel=1e-5)  # eps


def test_sps_takes_the_mean_of_the_losses_gathered():
    params, twins = fresh(), fresh()
    opt, twin = lrcore.SPS(params, accumulate=2), lrcore.SPS(twins)
    losses = [3.0, 1.0, 0.5, 0.25]
    for t in (0, 2):
        halves = draw(params, t), draw(params, t + 1)
        assert not opt.step(halves[0], losses[t])
        saved = opt.state_dict()
        opt.load_state_dict(saved)
        assert opt.step(halves[1], losses[t + 1])
        mean = [np.asarray((a + b) / 2) for a, b in zip(*halves, strict=True)]
        twin.step(mean, (losses[t] + losses[t + 1]) / 2)
        close(params, twins)


def test_sps_steps_by_a_loss_scaler_with_the_loss_as_it_is():
    params, twins = fresh(), fresh()
    opt, twin, scaler = lrcore.SPS(params), lrcore.SPS(twins), lrcore.LossScaler(8.0)
    for t in range(3):
        grads = draw(params, t)
        assert scaler.step(opt, [np.asarray(8 * g) for g in grads], 0.5)
        twin.step(grads, 0.5)
        assert all_same(params, twins)


@pytest.mark.parametrize("loss", [None, "1", [1.0], np.ones(2), True])
def test_sps_refuses_what_is_no_loss(loss):
    params, first = fresh(), fresh()
    opt = lrcore.SPS(params)
    with pytest.raises(TypeError, match=r"^loss: expected a number, the loss of the"):
        opt.step(draw(params, 0), loss)
    assert all_same(params, first)
    assert opt.t == 0


def test_sps_makes_nan_of_a_loss_that_is_one_and_stays_within_max_lr_at_infinity():
    params, twins = fresh(), fresh()
    assert lrcore.SPS(params, max_lr=0.1).step(draw(params, 0), np.inf)
    assert lrcore.SGD(twins, lr=0.1).step(draw(params, 0))
    close(params, twins)
    assert lrcore.SPS(params).step(draw(params, 0), np.nan)
    assert all(np.isnan(p).all() for p in params)


def test_the_range_test_hands_the_loss_on():
    p = np.array([3.0, -4.0])
    opt = lrcore.SPS(p)
    found = lrcore.lr_find(
        opt, lambda _: (float((p * p).sum()), 2 * p), [0], num=20, trial_steps=20
    )
    assert found.suggestion is not None
    assert p.tolist() == [3.0, -4.0]


def test_sps_takes_the_norm_of_all_groups():
    """Groups do not change the step."""
    params, twins = fresh(), fresh()
    opt, twin = lrcore.SPS([{"params": p} for p in params]), lrcore.SPS(twins)
    for _ in range(4):
        loss, grads = bowl(params)
        assert opt.step(grads, loss)
        assert twin.step(bowl(twins)[1], bowl(twins)[0])
        close(params, twins)


def test_groups_of_sps_have_bounds_and_factors_of_their_own():
    params, first = fresh(), fresh()
    own = [{}, {"max_lr": 1e-3}, {"c": 2.0, "lr": 0.5, "f_min": 1.0}]
    groups = [{"params": p, **o} for p, o in zip(params, own, strict=True)]
    loss, (_, grads) = 7.0, bowl(params)
    assert lrcore.SPS(groups, eps=0.0).step(grads, loss)
    gg = sum((g * g).sum() for g in grads)
    rates = [2 * loss / gg, 1e-3, 0.5 * (loss - 1) / (2 * gg)]
    want = [p - r * g for p, r, g in zip(first, rates, grads, strict=True)]
    close(params, want)


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
def test_sps_skips_a_loss_that_is_not_finite_where_that_is_asked_for(loss):
    params, first = fresh(), fresh()
    opt = lrcore.SPS(params, skip_nonfinite=True, zero_grads=True)
    grads = draw(params, 0)
    assert not opt.step(grads, loss)
    assert all_same(params, first)
    assert not any(g.any() for g in grads)
    assert (opt.t, opt.state[0]["rate"]) == (0, 0)
    assert not lrcore.LossScaler().step(lrcore.SPS(params), draw(params, 0), loss)
    gathers = lrcore.SPS(params, skip_nonfinite=True, accumulate=2)
    assert not gathers.step(draw(params, 0), loss)
    assert not gathers.step(draw(params, 1), 1.0)
    assert all_same(params, first)
    assert (gathers.t, gathers._plan.gathered) == (0, 0)


def test_a_skipped_step_reports_the_rate_found_before():
    p = np.array([3.0, -4.0])
    opt = lrcore.SPS(p, telemetry=True, skip_nonfinite=True)
    opt.step(2 * p, 25.0)
    found = opt.report.lr
    assert not opt.step(np.array([np.nan, 1.0]), 1.0)
    assert opt.report.lr == found


def test_the_rate_reported_is_of_the_first_arrays_that_there_are():
    """Muon's own part of this group is empty."""
    vector = np.ones(3)
    opt = lrcore.Muon(vector, lr=1.0, mechanic=True, telemetry=True)
    opt.step(np.ones(3))
    assert opt.report.lr == in_order(opt.state[0]["mechanic"][0])


LATE = ["AdamWScheduleFree", "DAdaptSGD", "DoG", "DoWG", "LDoG", "MADGRAD", "Prodigy"]
LATE += ["SGDScheduleFree"]


@pytest.mark.parametrize("name", LATE)
@pytest.mark.parametrize("one_by_one", [False, True])
def test_params_may_be_loaded_after_the_construction(name, one_by_one):
    """As where they were there before."""
    one_by_one = one_by_one and not KINDS[name]._gauge
    params, wanted = fresh(), [np.asarray(p + 100.0) for p in fresh()]
    opt, twin = KINDS[name](params), KINDS[name](wanted)
    for p, loaded in zip(params, wanted, strict=True):
        p[...] = loaded
    for t in range(3):
        if one_by_one:
            for k, g in enumerate(draw(params, t)):
                opt.step_one(k, g)
        else:
            opt.step(draw(params, t))
        twin.step(draw(wanted, t))
    assert all_same(params, wanted)
    assert same_states(opt.state, twin.state)
