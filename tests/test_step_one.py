"""A step by one array at a time, as their gradients come."""

import sys
from math import nan

import numpy as np
import pytest
from cases import cases
from composed import gradients, merged, optimizer, split, weights
from helpers import (
    KINDS,
    all_same,
    bits_of,
    each_alone,
    each_dtype,
    same_states,
    snapshot,
    taken,
)

import lrcore

pytestmark = pytest.mark.isa

ONE_BY_ONE = ["grad_scale", "clip_value", "clip_tensor_norm", "agc", "skip_nonfinite"]
ONE_BY_ONE += ["zero_grads"]
ORDERS = [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)]


@each_alone
@each_dtype
@cases("features", [(), ONE_BY_ONE])
def test_a_round_in_any_order_is_a_step(name, dtype, features):
    """To the bit: params, states, averages, with schedules of all."""
    options = merged(features)
    params, twins = weights(dtype), weights(dtype)
    own = {"lr": lambda t: 0.05 / (1 + t), "weight_decay": 0.1, "ema_decay": 0.5}
    own |= taken(name, lookahead_steps=2, swa_start=1)
    opt = optimizer(name, params, options, **own)
    twin = optimizer(name, twins, options, **own)
    for t, order in enumerate(ORDERS * 2):
        grads = gradients(params, t)
        for k in order:
            assert opt.t == t
            assert opt.step_one(k, grads[k]) is True
            assert grads[k].any() != ("zero_grads" in features)
        assert opt.t == t + 1
        assert twin.step(split(gradients(params, t)))
        assert all_same(params, twins)
        assert same_states(opt.state, twin.state)
    # In turns with whole steps.
    assert opt.step(split(gradients(params, 9)))
    assert twin.step(split(gradients(params, 9)))
    assert bits_of(opt, params) == bits_of(twin, twins)


def own_arrays(opt, params):
    """Each parameter and its states, but for the numbers of its group."""
    return [
        [p, *(array for name, array in state.items() if name not in opt._carries)]
        for p, state in zip(params, opt.state, strict=True)
    ]


@each_alone
def test_one_array_is_stepped_and_no_other(name):
    params = weights()
    opt = optimizer(name, params, lr=0.05)
    grads = gradients(params, 0)
    for k in range(len(params)):
        arrays = own_arrays(opt, params)
        before = [snapshot(each) for each in arrays]
        assert opt.step_one(k, grads[k])
        after = [snapshot(each) for each in arrays]
        assert [i for i in range(len(params)) if after[i] != before[i]] == [k]


@each_alone
def test_none_counts_an_array_without_touching_it(name):
    params, twins = weights(), weights()
    own = {"lr": lambda t: 0.05 / (1 + t)}
    opt = optimizer(name, params, ema_decay=0.5, **own)
    alone = optimizer(name, twins, ema_decay=0.5, **own)
    for t in range(4):
        grads = gradients(params, t)
        untouched = {t % 4, (t + 1) % 4}
        arrays = own_arrays(opt, params)
        before = [snapshot(each) for each in arrays]
        for k in range(4):
            done = opt.step_one(k, None if k in untouched else grads[k])
            assert type(done) is bool
            assert done or k in untouched
        after = [snapshot(each) for each in arrays]
        assert {k for k in range(4) if after[k] == before[k]} == untouched
        assert opt.t == t + 1
    # With the numbers of its own step: the others are as in an unbroken run's.
    for k in range(4):
        alone.step_one(k, gradients(params, 0)[k] if k in (2, 3) else None)
    assert alone.t == 1


@each_alone
def test_a_round_of_nothing_counts(name):
    params, twins = weights(), weights()
    own = {"lr": lambda t: 0.05 / (1 + t)}
    later = {"lr": lambda t: 0.05 / (1 + (t if t < 1 else t + 1))}
    opt, twin = optimizer(name, params, **own), optimizer(name, twins, **later)
    for each in (opt, twin):
        assert each.step(split(gradients(params, 0)))
    before = snapshot(params)
    for k in range(4):
        opt.step_one(k, None)
    assert opt.t == 2
    assert snapshot(params) == before
    # Schedules count the round, and the arrays do not.
    assert opt.step(split(gradients(params, 1)))
    assert twin.step(split(gradients(params, 1)))
    assert all_same(params, twins)


@each_alone
def test_an_array_that_is_not_finite_is_left_alone(name):
    """The round counts it, and the others are stepped."""
    params, twins = weights(), weights()
    opt = optimizer(name, params, lr=0.05, skip_nonfinite=True, zero_grads=True)
    twin = optimizer(name, twins, lr=0.05)
    for t in range(4):
        grads = gradients(params, t)
        grads[t].flat[0] = nan
        for k in range(4):
            done = opt.step_one(k, grads[k])
            assert done is (k != t)
            twin.step_one(k, None if k == t else gradients(params, t)[k])
        assert not any(g.any() for g in grads)
        assert opt.t == t + 1
        assert all_same(params, twins)
        assert same_states(opt.state, twin.state)


def test_a_rate_that_is_set_within_a_round_is_used_from_then_on():
    """Also in a group whose arrays have counts of their own."""
    p = [np.zeros(1) for _ in range(4)]
    opt = lrcore.SGD(p, lr=1.0)
    one = np.ones(1)
    for t, absent in enumerate([{}, {3}]):
        for k in range(4):
            opt.lr = 1.0 + k + t
            opt.step_one(k, None if k in absent else one)
    assert [a[0] for a in p] == [-3.0, -5.0, -7.0, -4.0]
    for k in (3, 1, 2, 0):
        opt.lr = 10.0 + k
        opt.step_one(k, one)
    assert [a[0] for a in p] == [-13.0, -16.0, -19.0, -17.0]


@each_dtype
def test_threads_change_no_bit_of_one_array(dtype):
    g = np.linspace(-3, 5, 100_003).astype(dtype)
    found = []
    for threads in (1, 2, 3, 5):
        params = [np.full(100_003, 0.5, dtype), np.ones(3, dtype)]
        opt = lrcore.LAMB(params, num_threads=threads, clip_tensor_norm=0.1)
        for _ in range(2):
            opt.step_one(1, np.ones(3, dtype))
            opt.step_one(0, g)
        found.append(bits_of(opt, params))
    assert all(other == found[0] for other in found)


def test_subnormals_are_left_to_the_caller():
    tiny = np.full(9, np.finfo(np.float32).tiny)
    opt = lrcore.SGD([np.ones(3), np.ones(3)])
    assert opt.step_one(0, np.ones(3))
    assert (tiny / 4 * 4 == tiny).all()
    with pytest.raises(ValueError, match="grad"):
        opt.step_one(1, np.ones(4))
    assert (tiny / 4 * 4 == tiny).all()


def calls_in(run):
    """How many functions of Python and C it calls."""
    count = 0

    def count_call(frame, event, arg):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(count_call)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "lr", [0.1, lambda t: 0.1 / (1 + t)], ids=["number", "schedule"]
)
@pytest.mark.parametrize("grouped", [False, True], ids=["one group", "groups"])
@pytest.mark.parametrize(
    "name", ["Adam", "LAMB", "Adafactor", "Muon", "SGDScheduleFree"]
)
def test_a_round_over_twice_the_arrays_takes_twice_the_calls(name, lr, grouped):
    """Not four times: an array's step does nothing for the others."""
    calls = []
    for n in (20, 40):
        params = [np.ones((2, 3)) for _ in range(n)]
        groups = [{"params": p} for p in params] if grouped else params
        opt = KINDS[name](groups, lr=lr)
        g = np.full((2, 3), 0.5)

        def a_round(opt=opt, g=g, n=n):
            for k in range(n):
                assert opt.step_one(k, g)

        a_round()
        calls.append(calls_in(a_round))
        assert opt.t == 2
    assert calls[0] > 20
    assert calls[1] < 2.5 * calls[0]
