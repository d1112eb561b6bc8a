"""Gradients that are scaled, and gathered over several calls."""

import pickle
import signal

import numpy as np
import pytest
from cases import cases
from composed import (
    FEATURES,
    GATHERED,
    copies,
    gradients,
    merged,
    optimizer,
    snapshot_of,
    split,
    states_of,
    weights,
)
from helpers import all_same, bits_of, each_kind, same_states, snapshot

import lrcore

pytestmark = pytest.mark.isa


# --- grad_scale -----------------------------------------------------------------------


def moved(p, g, **options):
    """What one step of SGD at lr 1 takes from p."""
    before = p.copy()
    assert lrcore.SGD(p, lr=1.0, **options).step(g)
    return before - p


def test_grad_scale_is_settable_and_takes_a_schedule():
    p = np.zeros(2)
    opt = lrcore.SGD(p, lr=1.0, grad_scale=0.5)
    assert opt.grad_scale == 0.5
    opt.step(np.ones(2))
    assert p.tolist() == [-0.5] * 2
    opt.grad_scale = 0.25
    assert opt.grad_scale == 0.25
    opt.step(np.ones(2))
    assert p.tolist() == [-0.75] * 2
    seen = []
    opt.grad_scale = lambda t: seen.append(t) or 2.0**t
    opt.step(np.ones(2))
    opt.step(np.ones(2))
    assert p.tolist() == [-12.75] * 2
    assert set(seen) == {2, 3}
    assert lrcore.SGD(p).grad_scale == 1.0


def test_weight_decay_and_l2_are_not_scaled():
    taken = moved(np.full(1, 2.0), np.ones(1), grad_scale=0.5, l2=0.25)
    assert taken.tolist() == [0.5 + 0.25 * 2]
    taken = moved(np.full(1, 2.0), np.ones(1), clip_norm=0.5, weight_decay=0.25)
    assert taken.tolist() == [0.5 + 0.25 * 2]


# --- accumulate -----------------------------------------------------------------------


@each_kind
def test_gathering_writes_nothing_but_the_sum(name):
    params = weights("float32")
    opt = optimizer(name, params, lr=0.05, accumulate=3, ema_decay=0.5, zero_grads=True)
    assert all(("acc" in state) for state in opt.state)
    for t in range(2):
        before = snapshot(params), snapshot_of(states_of(opt, GATHERED))
        sums = None
        for call in range(2):
            grads = gradients(params, t, call)
            sums = copies(grads) if sums is None else [
                a + b for a, b in zip(sums, grads, strict=True)
            ]  # fmt: skip
            assert opt.step(split(grads)) is False
            assert (snapshot(params), snapshot_of(states_of(opt, GATHERED))) == before
            assert opt.t == t
            acc = [state["acc"] for state in opt.state]
            assert all((a == b).all() for a, b in zip(acc, sums, strict=True))
            assert all(a.dtype == np.float32 for a in acc)
            assert not any(g.any() for g in grads), "gathered, so zeroed"
        assert opt.step(split(gradients(params, t, 2))) is True
        assert opt.t == t + 1
        assert (snapshot(params), snapshot_of(states_of(opt, GATHERED))) != before


@each_kind
def test_to_accumulate_1_is_to_step(name):
    params, twins = weights(), weights()
    opt = optimizer(name, params, lr=0.05, accumulate=1)
    twin = optimizer(name, twins, lr=0.05)
    for t in range(3):
        assert opt.step(split(gradients(params, t)))
        assert twin.step(split(gradients(params, t)))
    assert bits_of(opt, params) == bits_of(twin, twins)


@each_kind
@cases("calls", [1, 5])
def test_a_run_continues_from_within_a_gathering_to_the_bit(name, calls):
    """Through a pickle, after so many calls of 3 a step; settings come with it."""
    straight, broken = weights(), weights()
    options = merged(FEATURES)
    one = optimizer(name, straight, options, lr=0.05)
    two = optimizer(name, broken, options, lr=0.05)

    def call(opt, k):
        return opt.step(split(gradients(straight, k // 3, k % 3)))

    for k in range(calls):
        assert call(one, k) == call(two, k) == (k % 3 == 2)
    restored, saved = pickle.loads(pickle.dumps((broken, two.state_dict())))
    call(two, 99)  # what was saved is a copy
    three = optimizer(name, restored, options, lr=0.5)
    three.step(split(gradients(straight, 7)))  # to be forgotten
    for p, old in zip(restored, broken, strict=True):
        assert p.shape == old.shape
    three.load_state_dict(saved)
    assert three.t == calls // 3
    for k in range(calls, 12):
        assert call(one, k) == call(three, k) == (k % 3 == 2)
    assert all_same(straight, restored)
    assert same_states(one.state, three.state)
    assert one.report == three.report


def test_what_is_loaded_sets_the_options_too():
    """As it does all hyper-parameters."""
    options = {"grad_scale": 0.5, "clip_norm": 0.25, "clip_eps": 0.5}
    saved = lrcore.SGD(np.zeros(2), lr=1.0, clip_value=3.0, **options).state_dict()
    p = np.zeros(2)
    opt = lrcore.SGD(p, lr=0.1, grad_scale=0.1, clip_norm=9.0, clip_value=9.0)
    opt.load_state_dict(saved)
    assert (opt.grad_scale, opt.clip_norm) == (0.5, 0.25)
    assert opt.param_groups[0]["clip_value"] == 3.0
    opt.step(np.array([8.0, 0.0]))  # to 4, to 3, to 3 * 0.25 / 3.5
    assert p[0] == pytest.approx(-3 * 0.25 / 3.5, rel=1e-15)


def test_what_gathers_can_be_told_of_how_many():
    """Not whether to, as there is an array for it; nor in the middle."""
    p = np.zeros(1)
    opt = lrcore.SGD(p, lr=1.0, accumulate=2)
    opt.accumulate = 3
    assert [opt.step(np.full(1, g)) for g in (1.0, 2.0, 6.0)] == [False, False, True]
    assert p[0] == -3
    with pytest.raises(ValueError, match=r"^accumulate: found 1"):
        opt.accumulate = 1
    with pytest.raises(ValueError, match=r"^accumulate: found 2"):
        lrcore.SGD(p).accumulate = 2
    opt.step(np.ones(1))
    with pytest.raises((RuntimeError, ValueError), match="accumulate"):
        opt.accumulate = 2
    assert [opt.step(np.ones(1)) for _ in range(2)] == [False, True]
    assert p[0] == -4


def test_an_interrupt_loses_no_call():
    """A handler that raises runs between what a call does in C and in Python."""
    p, g = np.zeros(1), np.ones(1)
    opt = lrcore.SGD(p, lr=1.0, accumulate=2, skip_nonfinite=True, telemetry=True)
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(100):
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012 # it comes anywhere
                signal.setitimer(signal.ITIMER_REAL, 2e-4)
                while True:
                    opt.step(g)
            assert opt.t == -p[0]
    finally:
        signal.signal(signal.SIGALRM, handler)
    assert opt.t > 0
