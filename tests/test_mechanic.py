"""Mechanic beside any optimizer: its numbers, and whose they are."""

import pickle
from math import sqrt

import numpy as np
import pytest
from helpers import (
    KINDS,
    LENGTHS,
    all_same,
    close,
    configurations,
    draw,
    each_dtype,
    fresh,
    ordinary,
    same_bits,
    same_states,
)

import lrcore
from lrcore import reference

pytestmark = pytest.mark.isa

TAKES = [name for name in KINDS if KINDS[name]._takes_mechanic()]
NONE = [name for name in KINDS if name not in TAKES]
each_taker = pytest.mark.parametrize("name", TAKES)


def scaled(name, params, **more):
    """An optimizer whose steps are scaled, from a scale at which they are seen."""
    return KINDS[name](params, **{"mechanic_s_init": 0.5, **more}, mechanic=True)


def of_one_part(opt):
    """The arrays that share the first one's scale: of Muon's, its matrices."""
    numbers = [state["mechanic"] for state in opt.state]
    return [i for i, own in enumerate(numbers) if own is numbers[0]]


class ByHand:
    """Algorithm 1, with what its authors' code adds, in the words of the paper."""

    def __init__(self, params, s_init, decay):
        self.start = [p.copy() for p in params]
        self.delta = [np.zeros_like(p) for p in params]
        self.s = np.full(6, s_init / 6)
        self.r, self.m, self.v = np.zeros(6), np.zeros(6), np.zeros(6)
        self.s_init, self.decay = s_init, decay

    def step(self, params, grads, moved):
        """From the params and where the base optimizer would move them."""
        betas, total = 1 - 0.1 ** np.arange(1, 7), self.s.sum()
        size, where = (
            sqrt(sum((a * a).sum() for a in arrays)) for arrays in (grads, params)
        )
        pull = self.decay * total * size / (where + 1e-8)
        before = [d * total / (total + 1e-8) for d in self.delta]
        h = sum(
            ((g + pull * p) * d).sum()
            for g, p, d in zip(grads, params, before, strict=True)
        )
        clipped = np.clip(h, -self.m, self.m)
        self.m = np.maximum(betas * self.m, abs(h) + 1e-8)
        self.v = betas**2 * self.v + h * h
        self.r = betas * self.r + self.s * clipped
        wealth = self.s_init / 6 * self.m + np.maximum(self.r, 0)
        self.s = wealth / (np.sqrt(self.v) + 1e-8)
        self.delta = [
            d - (new - p) for d, new, p in zip(before, moved, params, strict=True)
        ]
        return [
            p - self.s.sum() * d for p, d in zip(self.start, self.delta, strict=True)
        ]


@each_taker
def test_it_scales_the_steps_of_any_optimizer(name):
    """As by hand, beside one that steps from the same params, without it."""
    params, twins = fresh(), fresh()
    opt = scaled(name, params, lr=0.05, mechanic_decay=0.3)
    base = KINDS[name](twins, lr=0.05)
    mine = of_one_part(opt)
    hand = ByHand([params[i] for i in mine], 0.5, 0.3)
    for t in range(8):
        grads = draw(params, t)
        for p, q in zip(params, twins, strict=True):
            q[...] = p
        before = [params[i].copy() for i in mine]
        assert base.step(grads)
        assert opt.step(grads)
        want = hand.step(before, [grads[i] for i in mine], [twins[i] for i in mine])
        close([params[i] for i in mine], want, rel=1e-11)
        np.testing.assert_allclose(opt.state[0]["mechanic"][0], hand.s, rtol=1e-9)
    assert max(hand.s.sum() / 0.5, 0.5 / hand.s.sum()) > 1.05  # it has moved


@pytest.mark.parametrize("name", NONE)
def test_those_that_make_no_steps_refuse_it(name):
    with pytest.raises(ValueError, match=rf"^mechanic: expected False for {name}, "):
        KINDS[name](np.ones(2), mechanic=True)


def test_it_finds_a_rate_for_adam():
    """From 1e-6 at lr = 1, on a bowl 5 away."""
    p = np.array([3.0, -4.0])
    opt = lrcore.Adam(p, lr=1.0, mechanic=True)
    for _ in range(300):
        opt.step(2 * p)
    assert abs(p).max() < 0.01
    assert 1e-3 < opt.state[0]["mechanic"][0].sum() < 1


@pytest.mark.usefixtures("restore")
@each_dtype
@pytest.mark.parametrize("n", LENGTHS)
def test_the_stages_equal_the_reference(n, dtype):
    """To the bit: around the rule, whatever the instruction set and the threads."""
    rng = np.random.default_rng(n)
    first, g, delta, start = (ordinary(rng, n, dtype) for _ in range(4))
    for isa, threads in configurations():
        lrcore.set_isa(isa)
        p = first.copy()
        opt = scaled("SGD", p, lr=0.25, num_threads=threads)
        opt._plan.parallel_from, opt.t = 1, 1
        state = opt.state[0]
        state["mechanic_delta"][...], state["mechanic_p0"][...] = delta, start
        state["mechanic"][1:] = 0.125
        twin, own, p0 = first.copy(), delta.copy(), start.copy()
        sums = reference.read_gauge("along_delta", twin, g, [own], (1.0, 0.0))
        folded = opt.param_groups[0].parts[0].folded
        rows, numbers = folded.tune(state["mechanic"].copy(), sums)
        reference.mechanic_begin(twin, own, p0, numbers)
        reference.step("sgd", twin, g, [], (1.0, 0.0, 1.0, 0.25))
        reference.mechanic(twin, own, p0, numbers)
        opt.step(g)
        assert all_same([p, state["mechanic_delta"]], [twin, own])
        carried = np.frombuffer(rows).reshape(4, 6)
        assert all_same([state["mechanic_p0"], state["mechanic"]], [p0, carried])


@each_dtype
def test_where_it_began_stays_to_the_bit_while_nobody_touches_the_params(dtype):
    params = fresh(dtype)
    first = [p.copy() for p in params]
    opt = scaled("Adam", params, lr=1.0)
    for t in range(20):
        opt.step(draw(params, t))
    assert not all_same(params, first)
    assert all_same([state["mechanic_p0"] for state in opt.state], first)


@pytest.mark.parametrize("steps", [0, 5])
def test_params_changed_in_between_are_taken_as_they_are(steps):
    """Loaded after the construction, or later: the next step goes on from there."""
    params, loaded = fresh(), [np.asarray(100.0 + p) for p in fresh()]
    opt = scaled("SGD", params, lr=1e-3, mechanic_s_init=0.1)
    for t in range(steps):
        opt.step(draw(params, t))
    delta = [state["mechanic_delta"].copy() for state in opt.state]
    for p, new in zip(params, loaded, strict=True):
        p[...] = new
    opt.step([np.zeros_like(p) for p in params])
    for p, new in zip(params, loaded, strict=True):
        np.testing.assert_allclose(p, new, atol=0.02)
    close([state["mechanic_delta"] for state in opt.state], delta, rel=1e-5)


def test_it_keeps_what_lookahead_has_pulled():
    """A step without a gradient, after the pull, leaves the params there."""
    params = fresh()
    opt = scaled("SGD", params, lr=0.1, lookahead_steps=3)
    for t in range(3):
        opt.step(draw(params, t))
    pulled = [p.copy() for p in params]
    opt.step([np.zeros_like(p) for p in params])
    moved = [abs(p - q).max() for p, q in zip(params, pulled, strict=True)]
    assert max(moved) < 1e-7  # of eps beside s


def test_sums_that_are_too_large_leave_the_scale_as_it_is():
    """And with it the arrays whose gradients are finite."""
    params = [np.ones(2), np.ones(2)]
    opt = lrcore.SignSGD(params, lr=0.1, mechanic=True, mechanic_s_init=0.5)
    for _ in range(3):
        opt.step([np.ones(2), np.ones(2)])
    before = opt.state[0]["mechanic"].copy()
    opt.step([np.array([1e200, 0.0]), np.ones(2)])
    assert same_bits(opt.state[0]["mechanic"], before)
    opt.step([np.array([np.inf, 0.0]), np.ones(2)])
    assert same_bits(opt.state[0]["mechanic"], before)
    assert np.isfinite(params).all()


def test_one_array_alone_is_refused():
    opt = lrcore.SGD([np.ones(2), np.ones(3)], lr=1.0, mechanic=True)
    with pytest.raises(
        ValueError, match=r"mechanic, needs the gradients of all arrays"
    ):
        opt.step_one(0, np.ones(2))


def test_groups_have_scales_of_their_own_and_may_be_without():
    p, q, r = (np.ones(3) for _ in range(3))
    groups = [
        {"params": p, "mechanic": True},
        {"params": q, "mechanic": True, "mechanic_s_init": 0.5},
        {"params": r},
    ]
    opt = lrcore.SGD(groups, lr=0.1)
    alone = np.ones(3)
    single = lrcore.SGD(alone, lr=0.1, mechanic=True, mechanic_s_init=0.5)
    for t in range(4):
        g = np.full(3, 1.0 + t)
        opt.step([g, g, g])
        single.step(g)
    assert same_bits(q, alone)
    assert not same_bits(p, q)
    assert "mechanic" not in opt.state[2]
    np.testing.assert_allclose(r, 1 - 0.1 * (1 + 2 + 3 + 4), atol=1e-15)
    with pytest.raises(
        ValueError, match=r"^mechanic: asks for the states of .*mechanic"
    ):
        opt.param_groups[2]["mechanic"] = True


@pytest.mark.parametrize("name", ["AdamW", "Muon", "LAMB", "Adafactor"])
def test_a_run_continues_from_its_state_to_the_bit(name):
    straight, broken = fresh(), fresh()
    one, two = scaled(name, straight), scaled(name, broken)
    for t in range(4):
        one.step(draw(straight, t))
        two.step(draw(broken, t))
    restored, saved = pickle.loads(pickle.dumps((broken, two.state_dict())))
    three = scaled(name, restored, mechanic_s_init=0.1)
    assert not same_states(one.state, three.state)
    with pytest.raises(ValueError, match="mechanic_p0"):
        KINDS[name](fresh()).load_state_dict(saved)
    three.load_state_dict(saved)
    for t in range(4, 8):
        one.step(draw(straight, t))
        three.step(draw(restored, t))
    assert all_same(straight, restored)
    assert same_states(one.state, three.state)


@pytest.mark.parametrize("name", ["SGD", "LARS", "Muon"])
@pytest.mark.parametrize(
    "options", [{"accumulate": 2}, {"clip_norm": 0.5}, {"grad_scale": 0.25}]
)
def test_it_measures_along_gradients_as_treated(name, options):
    params, twins = fresh(), fresh()
    opt, twin = scaled(name, params, **options), scaled(name, twins)
    for t in range(4):
        grads = draw(params, t)
        if "accumulate" in options:
            assert not opt.step([np.asarray(g / 2) for g in grads])
            assert opt.step([np.asarray(3 * g / 2) for g in grads])
        else:
            assert opt.step(grads)
        if "clip_norm" in options:
            lrcore.clip_by_global_norm(grads, 0.5)
        elif "grad_scale" in options:
            grads = [np.asarray(0.25 * g) for g in grads]
        twin.step(grads)
        for p, q in zip(params, twins, strict=True):
            np.testing.assert_allclose(p, q, rtol=1e-10)


def test_a_skipped_step_carries_nothing_on():
    params = fresh()
    opt = scaled("Adam", params, skip_nonfinite=True)
    for t in range(3):
        opt.step(draw(params, t))
    before = opt.state_dict()
    grads = draw(params, 3)
    grads[0][0, 0] = np.nan
    assert not opt.step(grads)
    assert same_states(before["state"], opt.state)


def test_a_report_is_of_the_step_as_scaled():
    params = fresh()
    opt = scaled("Adam", params, lr=1.0, telemetry=True)
    for t in range(4):
        before = [p.copy() for p in params]
        opt.step(draw(params, t))
        change = sum(((p - q) ** 2).sum() for p, q in zip(params, before, strict=True))
        size = sum((p**2).sum() for p in params)
        assert opt.report.update_norm == pytest.approx(sqrt(change), rel=1e-9)
        assert opt.report.param_norm == pytest.approx(sqrt(size), rel=1e-12)


def test_averages_are_of_the_params_as_scaled():
    params = fresh()
    opt = scaled("Adam", params, ema_decay=0.5)
    for t in range(5):
        opt.step(draw(params, t))
        if t == 0:
            ema = [p.copy() for p in params]
        ema = [0.5 * e + 0.5 * p for e, p in zip(ema, params, strict=True)]
        close(opt.ema, ema)
