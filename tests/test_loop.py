"""What a loop needs beside the step: to flush, to multiply rates, to read states."""

from math import inf, nan

import numpy as np
import pytest
from cases import cases
from composed import gradients, optimizer, split, weights
from helpers import KINDS, all_same, bits_of, each_kind, same_states

import lrcore
from lrcore.schedules import Cosine

pytestmark = pytest.mark.isa

# --- flush ----------------------------------------------------------------------------


def test_the_rest_of_an_epoch_is_stepped_by_its_mean():
    w = np.zeros(1)
    opt = lrcore.SGD(w, lr=1.0, accumulate=4)
    for _ in range(6):
        opt.step(np.ones(1))
    assert opt.flush()
    assert (w[0], opt.t) == (-2.0, 2)
    assert not opt.flush()
    assert (w[0], opt.t) == (-2.0, 2)
    opt.accumulate = 2  # nothing is gathered now
    assert [opt.step(np.ones(1)) for _ in range(2)] == [False, True]


@each_kind
@cases("calls", [1, 2, 3])
def test_to_flush_is_to_accumulate_as_many(name, calls):
    """To the bit where numbers are divided by a power of 2."""
    params, twins = weights(), weights()
    opt = optimizer(name, params, accumulate=8, clip_norm=1.0, skip_nonfinite=True)
    twin = optimizer(name, twins, accumulate=calls + 1, clip_norm=1.0)
    for t in range(2):
        for k in range(calls + 1):
            grads = gradients(params, t, k)
            assert not opt.step(split(grads), loss=0.5)
            twin.step(split(grads), loss=0.5)
        assert opt.flush()
    for p, q in zip(params, twins, strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-12, atol=1e-12)
    assert opt.t == twin.t == 2
    assert all_same(params, twins) or calls + 1 not in (1, 2, 4, 8)


def test_what_is_not_finite_is_dropped_by_a_flush_too():
    w = np.zeros(1)
    opt = lrcore.SGD(w, lr=1.0, accumulate=4, skip_nonfinite=True, ema_decay=0.5)
    opt.step(np.array([nan]))
    assert not opt.flush()
    assert (w[0], opt.t) == (0.0, 0)
    opt.step(np.array([3.0]))
    assert opt.flush()
    assert w[0] == -3.0


def test_to_flush_leaves_an_array_without_gradients_alone():
    params = [np.zeros(1), np.zeros(1), np.zeros(1)]
    opt = lrcore.SGD(params, lr=1.0, accumulate=4, weight_decay=0.5)
    opt.step([np.array([4.0]), None, None])
    opt.step([None, np.array([2.0]), None])
    assert opt.flush()
    assert [p[0] for p in params] == [-2.0, -1.0, 0.0]
    assert opt._plan.steps == [1, 1, 0]


def test_a_flush_asks_schedules_once():
    asked = []

    def lr(t):
        asked.append(t)
        return 1.0

    opt = lrcore.SGD(np.zeros(1), lr=lr, accumulate=4, grad_scale=lambda t: 0.5)
    opt.step(np.ones(1))
    asked.clear()
    assert opt.flush()
    assert asked == [0]


def test_a_flush_is_refused_like_a_step():
    params = {"a": np.zeros(1)}
    opt = lrcore.SGD(params, accumulate=2, ema_decay=0.5)
    opt.step({"a": np.ones(1)})
    with opt.averaged(), pytest.raises(RuntimeError, match="lent"):
        opt.flush()
    own, params["a"] = params["a"], np.zeros(1)
    with pytest.raises(ValueError, match=r"^params\['a'\]: found another object"):
        opt.flush()
    params["a"] = own
    assert opt.flush()


# --- learning rates -------------------------------------------------------------------


def test_groups_keep_their_ratios_and_schedules_their_shapes():
    plateau = lrcore.ReduceOnPlateau(0.4)
    rates = [0.1, Cosine(0.2, total=10), lambda t: 0.3 + t, plateau, plateau]
    opt = lrcore.SGD([{"params": np.zeros(1), "lr": rate} for rate in rates])
    for _ in range(2):
        opt.multiply_lr(0.5)
    now = [group.at("lr", 5) for group in opt.param_groups]
    assert now == pytest.approx([0.025, 0.025, 5.3 / 4, 0.1, 0.1], rel=1e-15)
    assert opt.param_groups[3]["lr"] is plateau


def test_what_groups_share_stays_one():
    own = Cosine(1.0, total=10)
    opt = lrcore.SGD([{"params": np.zeros(1)}, {"params": np.zeros(1)}], lr=own)
    opt.multiply_lr(0.5)
    first, second = (group["lr"] for group in opt.param_groups)
    assert first is second
    assert first(0) == 0.5


@pytest.mark.parametrize("factor", [0.0, -1.0, nan, inf, "1", None, 1e308])
def test_a_factor_that_cannot_be_changes_nothing(factor):
    plateau = lrcore.ReduceOnPlateau(0.5)
    opt = lrcore.SGD(
        [{"params": np.zeros(1), "lr": plateau}, {"params": np.zeros(1), "lr": 1e300}]
    )
    with pytest.raises((TypeError, ValueError), match=r"^(factor|lr): "):
        opt.multiply_lr(factor)
    assert plateau(0) == 0.5
    assert opt.param_groups[1]["lr"] == 1e300


def test_the_last_rates_are_those_that_were_used():
    groups = [{"params": np.zeros(1)}, {"params": np.zeros(1), "lr": 0.25}]
    opt = lrcore.SGD(groups, lr=lambda t: 1.0 / (1 + t))
    assert opt.last_lr is None
    opt.step([np.ones(1), np.ones(1)])
    opt.step([np.ones(1), np.ones(1)])
    assert opt.last_lr == [0.5, 0.25]
    p = np.array([3.0, -4.0])
    found = lrcore.SPS(p, max_lr=0.1)
    found.step(2 * p, loss=25.0)
    assert found.last_lr == [0.1]


# --- states and groups ----------------------------------------------------------------


def test_a_state_is_found_by_place_and_by_keys():
    params = {"W": np.zeros(2), "layers": [np.zeros(3), {"b": np.zeros(1)}]}
    opt = lrcore.Adam(params)
    state = opt.state
    assert state["W"] is state[0] is state[("W",)] is state[-3]
    assert state["layers", 0] is state[1] is state[np.int64(1)]
    assert state["layers", 1, "b"] is state[2]
    assert state[1:] == tuple(state)[1:]
    with pytest.raises(ValueError, match=r"^state: expected"):
        state["b"]
    keyed = lrcore.Adam({2: np.zeros(1), 1: np.zeros(2)}).state
    assert keyed[(1,)] is keyed[1]
    assert keyed[(2,)] is keyed[0]


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "SM3"])
def test_a_momentum_of_0_is_taken_in_mid_run(name):
    """It is what a schedule that gives 0 comes to, and is saved and loaded."""
    params, twins = weights(), weights()
    opt = optimizer(name, params, momentum=0.9)
    twin = optimizer(name, twins, momentum=lambda t: 0.9 if t < 2 else 0.0)
    for t in range(5):
        if t == 2:
            for group in opt.param_groups:
                group["momentum"] = 0.0
        assert opt.step(split(gradients(params, t)))
        assert twin.step(split(gradients(params, t)))
    assert all_same(params, twins)
    again = optimizer(name, weights(), momentum=0.9)
    again.load_state_dict(opt.state_dict())
    assert again.param_groups[0]["momentum"] == 0.0
    assert same_states(again.state, opt.state)


def test_a_momentum_needs_its_arrays():
    params = weights()
    opt = lrcore.SGD(params)
    before = bits_of(opt, params)
    with pytest.raises(ValueError, match="asks for the states of 'momentum'"):
        opt.param_groups[0]["momentum"] = 0.5
    assert bits_of(opt, params) == before


def test_an_option_of_the_whole_optimizer_is_no_groups():
    opt = lrcore.SGD([{"params": np.zeros(1)}])
    with pytest.raises(KeyError, match=r"whole optimizer; set opt\.clip_norm"):
        opt.param_groups[0]["clip_norm"] = 1.0
    with pytest.raises(TypeError, match=r"clip_norm.*whole optimizer.*opt\.clip_norm"):
        lrcore.SGD([{"params": np.zeros(1), "clip_norm": 1.0}])


# --- gradients of arrays without axes -------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"zero_grads": True}, {"accumulate": 2}])
def test_a_scalar_of_its_dtype_is_a_gradient_of_an_array_without_axes(dtype, options):
    params = {"a": np.zeros((), dtype), "b": np.zeros(2, dtype)}
    twins = {"a": np.zeros((), dtype), "b": np.zeros(2, dtype)}
    opt, twin = lrcore.Adam(params, **options), lrcore.Adam(twins, **options)
    for k in range(4):
        g = np.arange(k, 5, dtype=dtype)
        assert not isinstance(g.mean(), np.ndarray)
        given = {"a": g.mean(), "b": g[:2].copy()}
        assert opt.step(given) == twin.step({**given, "a": np.asarray(g.mean())})
    if "accumulate" not in options:
        assert opt.step_one("a", g.mean())
        assert twin.step_one("a", np.asarray(g.mean()))
    assert params["a"] == twins["a"] != 0


@pytest.mark.parametrize("wrong", [1.0, 1, np.float32(1), np.int64(1), True, "1"])
def test_another_scalar_is_none(wrong):
    p = np.zeros(())
    opt = lrcore.SGD(p, lr=1.0)
    with pytest.raises(TypeError, match=r"^grads: expected a numpy\.ndarray, found"):
        opt.step(wrong)
    with pytest.raises(TypeError, match=r"^grad: expected a numpy\.ndarray, found"):
        opt.step_one(0, wrong)
    vector = np.zeros(1)
    with pytest.raises(TypeError, match=r"^grads: expected a numpy\.ndarray, found"):
        lrcore.SGD(vector).step(np.float64(1))
    assert (p, opt.t) == (0.0, 0)


@each_kind
def test_a_group_of_rate_0_does_not_move(name):
    """Whatever its rule adds to the rate."""
    params = weights()
    first, second = split(params)
    before = [p.copy() for p in first]
    opt = KINDS[name]([{"params": first, "lr": 0.0}, {"params": second}], lr=0.1)
    for t in range(5):
        opt.step(split(gradients(params, t)))
    assert all_same(first, before)
