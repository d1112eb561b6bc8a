"""Schedules: pure, in closed form, for a step or an array of them."""

import math
import pickle

import numpy as np
import pytest

import lrcore
from lrcore import schedules
from lrcore.schedules import (
    Constant,
    Cosine,
    Exponential,
    Join,
    Linear,
    StepDecay,
    Warmup,
)

ALL = [
    Constant(0.3),
    StepDecay(0.5, gamma=0.1, every=7),
    Exponential(0.5, gamma=0.97),
    Linear(0.1, 0.7, steps=13),
    Cosine(0.5, total=31, end=0.01),
    Warmup(5, Cosine(0.5, total=31)),
    Cosine(0.5, total=20).warmup(3).then(15, Constant(0.2)),
    Join(
        (Constant(1.0), Linear(1, 0, steps=4), Exponential(0.5, gamma=0.5)), at=(3, 9)
    ),
]
each = pytest.mark.parametrize("s", ALL, ids=repr)


@each
def test_a_step_and_an_array_of_steps_agree(s):
    t = np.arange(60)
    values = s(t)
    assert (values.dtype, values.shape) == (np.float64, t.shape)
    singles = [s(int(k)) for k in t]
    assert all(type(value) is float for value in singles)
    np.testing.assert_allclose(values, singles, rtol=1e-15, atol=1e-17)
    assert s(t.reshape(6, 10)).shape == (6, 10)
    assert s(np.array(7)).shape == ()
    assert s(np.int64(7)) == s(7)


@each
def test_steps_come_in_any_order(s):
    order = np.random.default_rng(0).permutation(60)
    assert [s(int(k)) for k in order] == [s(k) for k in order.tolist()]
    np.testing.assert_array_equal(s(order), s(np.arange(60))[order])


@each
def test_a_schedule_is_a_value(s):
    assert eval(repr(s), vars(schedules)) == s
    assert hash(eval(repr(s), vars(schedules))) == hash(s)
    assert pickle.loads(pickle.dumps(s)) == s
    assert s != Constant(12345.0)
    with pytest.raises(AttributeError):
        s.base = 1.0


@each
def test_a_negative_step_is_refused(s):
    for t in (-1, np.array([0, -1]), float("nan"), np.array([np.nan])):
        with pytest.raises(ValueError, match="t: expected"):
            s(t)


@each
def test_a_schedule_drives_an_optimizer(s):
    p = np.zeros(1)
    opt = lrcore.SGD(p, lr=s)
    for _ in range(20):
        opt.step(np.ones(1))
    assert p[0] == pytest.approx(-sum(s(t) for t in range(20)))


def test_numpy_scalars_are_numbers():
    assert Cosine(np.float32(0.5), total=np.int64(10))(0) == 0.5


def test_closed_forms():
    t = np.arange(100)
    np.testing.assert_allclose(StepDecay(2.0, 0.5, 10)(t), 2.0 * 0.5 ** (t // 10))
    np.testing.assert_allclose(Exponential(2.0, 0.9)(t), 2.0 * 0.9**t)
    lin = Linear(1.0, 3.0, 50)(t)
    np.testing.assert_allclose(lin, np.interp(t, [0, 50], [1.0, 3.0]))
    cos = [0.1 + 0.9 * (1 + math.cos(math.pi * min(k, 50) / 50)) / 2 for k in t]
    np.testing.assert_allclose(Cosine(1.0, 50, end=0.1)(t), cos, rtol=1e-14)


def test_ends_are_exact_and_hold():
    assert Linear(0.1, 0.7, 13)(0) == 0.1
    assert Linear(0.1, 0.7, 13)(13) == Linear(0.1, 0.7, 13)(10**9) == 0.7
    assert Cosine(0.3, 77, end=0.1)(0) == 0.3
    assert Cosine(0.3, 77, end=0.1)(77) == Cosine(0.3, 77, end=0.1)(10**9) == 0.1
    assert Exponential(1.0, gamma=2.0)(10**6) == math.inf


def test_warmup_wastes_no_step_and_reaches_the_base():
    s = Cosine(0.4, total=100).warmup(4)
    assert [s(t) for t in range(4)] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert s(3) == s(4) == 0.4
    assert s(104) == 0.0


def test_a_join_counts_each_from_its_own_start():
    s = Constant(9.0).then(5, Linear(1.0, 0.0, steps=10))
    assert (s(4), s(5), s(10), s(15)) == (9.0, 1.0, 0.5, 0.0)
    assert s(np.array([4, 5, 10])).tolist() == [9.0, 1.0, 0.5]


BAD = [
    (lambda: Constant(math.nan), "base: expected a finite number, found nan"),
    (lambda: Constant("x"), "base: expected a finite number"),
    (lambda: StepDecay(1.0, gamma=0, every=1), "gamma: expected a number > 0"),
    (lambda: StepDecay(1.0, gamma=0.1, every=0), "every: expected a number of steps"),
    (lambda: StepDecay(1.0, gamma=0.1, every=1.5), "every: expected a number of steps"),
    (lambda: Exponential(1.0, gamma=-1), "gamma: expected a number > 0"),
    (lambda: Linear(0.0, math.inf, 3), "end: expected a finite number"),
    (lambda: Linear(0.0, 1.0, -3), "steps: expected a number of steps"),
    (lambda: Cosine(1.0, total=True), "total: expected a number of steps"),
    (lambda: Cosine(1.0, total=10).warmup(0), "steps: expected a number of steps"),
    (lambda: Warmup(3, lambda t: 1.0), "after: expected a schedule"),
    (lambda: Constant(1.0).then(3, 0.1), "other: expected a schedule"),
    (lambda: Join(ALL[:3], at=(3,)), "at: expected 2 steps for 3 schedules, found 1"),
    (lambda: Join(ALL[:3], at=(3, 3)), r"at: expected rising steps, found \(3, 3\)"),
]


@pytest.mark.parametrize(("build", "text"), BAD)
def test_bad_parameters_are_refused_at_construction(build, text):
    with pytest.raises((ValueError, TypeError), match=text):
        build()
