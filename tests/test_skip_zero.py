"""Steps that are skipped as a gradient is not finite; gradients that a step zeroes."""

from math import inf, nan

import numpy as np
import pytest
from cases import cases
from composed import (
    GATHERED,
    SHAPES,
    copies,
    gathered,
    gradients,
    optimizer,
    snapshot_of,
    split,
    states_of,
    weights,
)
from helpers import (
    LENGTHS,
    all_same,
    bits_of,
    configurations,
    each_dtype,
    each_kind,
    same_states,
    snapshot,
    taken,
)

import lrcore

pytestmark = pytest.mark.isa


# --- skip_nonfinite -------------------------------------------------------------------


@each_kind
@cases("value, zero", [(nan, True), (inf, False), (-inf, True), (nan, False)])
def test_a_step_that_is_not_finite_is_skipped(name, value, zero):
    """As if it had not been: whichever gradient it is, and whatever the schedule."""
    params, twins = weights("float32"), weights("float32")
    own = {"lr": lambda t: 0.05 / (1 + t), "ema_decay": 0.5}
    own |= taken(name, lookahead_steps=2)
    opt = optimizer(name, params, skip_nonfinite=True, zero_grads=zero, **own)
    twin = optimizer(name, twins, **own)
    for t in range(2 * len(SHAPES)):
        spoilt = gradients(params, 100 + t)
        spoilt[t // 2].flat[-1 if t % 2 else 0] = value
        grads = copies(spoilt)
        before = bits_of(opt, params)
        assert opt.step(split(grads)) is False
        assert bits_of(opt, params) == before
        wanted = [np.zeros_like(g) for g in grads] if zero else spoilt
        assert all_same(grads, wanted)
        assert opt.step(split(gradients(params, t))) is True
        assert twin.step(split(gradients(params, t)))
    assert all_same(params, twins)
    assert same_states(opt.state, twin.state)
    assert opt.t == twin.t == 2 * len(SHAPES)


@pytest.mark.usefixtures("restore")
@each_dtype
@pytest.mark.parametrize("n", [length for length in LENGTHS if length])
def test_it_is_found_wherever_it_is(n, dtype):
    """Among the largest finite numbers, whose squares are infinite."""
    g = np.full(n, np.finfo(dtype).max, dtype)
    p = np.zeros(n, dtype)
    for isa, threads in configurations():
        lrcore.set_isa(isa)
        opt = lrcore.SGD(p, lr=0.0, skip_nonfinite=True, num_threads=threads)
        opt._plan.parallel_from = 1
        assert opt.step(g), "finite"
        for at, value in ((0, nan), (n // 3, inf), (n // 2, -inf), (n - 1, nan)):
            g[at], kept = value, g[at]
            assert not opt.step(g), (isa, threads, at)
            g[at] = kept


@each_kind
def test_without_it_a_nan_goes_into_the_params(name):
    params = weights()
    opt = optimizer(name, params, lr=0.05)
    grads = gradients(params, 0)
    grads[0][1, 1] = nan
    assert opt.step(split(grads)) is True
    assert opt.t == 1
    if name != "Rprop":  # which goes by signs
        assert np.isnan(params[0][1, 1])


@each_kind
@cases("call, values", [(0, (inf,)), (1, (inf, -inf)), (2, (inf, -inf)), (2, (nan,))])
def test_a_gathering_with_what_is_not_finite_is_dropped(name, call, values):
    """At its last call, so that calls and steps stay in step."""
    params, twins = weights(), weights()
    opt = optimizer(name, params, lr=0.05, accumulate=3, skip_nonfinite=True)
    twin = optimizer(name, twins, lr=0.05, accumulate=3)
    for t in range(2):
        before = snapshot(params), snapshot_of(states_of(opt, GATHERED))
        calls = [gradients(params, 100 + t, k) for k in range(3)]
        for k, value in enumerate(values):
            calls[(call + k) % 3][2][1, 2, 3] = value
        assert gathered(opt, calls) is False
        assert (snapshot(params), snapshot_of(states_of(opt, GATHERED))) == before
        assert opt.t == t
        calls = [gradients(params, t, k) for k in range(3)]
        assert gathered(opt, calls) is gathered(twin, calls) is True
    assert all_same(params, twins)
    assert same_states(states_of(opt), states_of(twin))


# --- zero_grads -----------------------------------------------------------------------


@each_kind
@each_dtype
def test_gradients_are_zeroed_by_the_step_and_by_nothing_else(name, dtype):
    params, twins = weights(dtype), weights(dtype)
    opt = optimizer(name, params, lr=0.05, weight_decay=0.1, zero_grads=True)
    twin = optimizer(name, twins, lr=0.05, weight_decay=0.1)
    for t in range(3):
        grads, left = gradients(params, t), gradients(params, t)
        wanted = copies(left)
        assert opt.step(split(grads))
        assert twin.step(split(left))
        assert all_same(grads, [np.zeros_like(p) for p in params])
        assert all_same(left, wanted)
    assert bits_of(opt, params) == bits_of(twin, twins)


def overlapping():
    buffer = np.ones(9)
    return {"w": buffer[:5], "b": buffer[4:8]}


def read_only():
    grads = {"w": np.ones(5), "b": np.ones(4)}
    grads["b"].flags.writeable = False
    return grads


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (overlapping, r"^grads\['[wb]'\]: .*share memory with grads\['[wb]'\]"),
        (read_only, r"^grads\['b'\]: .*read-only"),
    ],
)
def test_what_cannot_be_zeroed_is_refused(make, error):
    """Before anything is written; without zero_grads it will do."""
    params = {"w": np.ones(5), "b": np.ones(4)}
    assert lrcore.Adam(params).step(make())
    opt = lrcore.Adam(params, zero_grads=True)
    before = bits_of(opt, params.values())
    grads = make()
    with pytest.raises(ValueError, match=error):
        opt.step(grads)
    assert bits_of(opt, params.values()) == before
    assert all((g == 1).all() for g in grads.values())
    assert opt.step({"w": np.ones(5), "b": np.ones(4)})


def test_one_array_for_two_gradients_is_refused_too():
    g = np.ones(3)
    opt = lrcore.SGD([np.zeros(3), np.zeros(3)], zero_grads=True)
    with pytest.raises(ValueError, match=r"^grads\[[01]\]: .*share memory with grads"):
        opt.step([g, g])
    assert g.tolist() == [1, 1, 1]
