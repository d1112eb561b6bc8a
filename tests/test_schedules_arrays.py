"""Arrays of steps: short cuts for phases, distinct values and small results."""

import math

import numpy as np
import pytest
from cases import cases
from every_schedule import each

from lrcore.schedules import (
    Cosine,
    Cyclic,
    Exponential,
    Function,
    MultiStep,
    PerEpoch,
    Piecewise,
    StepDecay,
)
from lrcore.schedules._formulas import _normal_or_squared


@each
def test_blocks_of_an_array_do_not_show(s):
    """An array is evaluated block by block, a block of one phase by a number."""
    t = np.arange(20_000)
    values = s(t)
    few = s(t[::37].copy())  # of many phases in a block
    np.testing.assert_allclose(few, values[::37], rtol=2e-15, atol=1e-16)
    shuffled = np.random.default_rng(0).permutation(t)
    np.testing.assert_array_equal(s(shuffled), values[shuffled])


@each
@cases("length", [1, 2, 7])
def test_a_part_of_an_array_has_the_same_values(s, length):
    """Some parts lie in one phase, before an end, or after it."""
    t = np.arange(60)
    values = s(t)
    for begin in range(0, len(t), length):
        part = slice(begin, begin + length)
        np.testing.assert_array_equal(s(t[part]), values[part])


@pytest.mark.parametrize("gamma", [0.99, 0.1, 1e-200])
@pytest.mark.parametrize("at", [(), (0, 0, 7), range(5, 3000, 5)])
def test_steps_of_multi_step_are_equal_to_the_bit(gamma, at):
    s = MultiStep(0.3, at=at, gamma=gamma)
    t = np.arange(4000)
    assert s(t).tolist() == [s(k) for k in t.tolist()]


@pytest.mark.parametrize("inclusive", [False, True])
def test_points_between_steps_are_counted(inclusive):
    """Steps that rise, with a search for each point, and others, for each step."""
    s = Piecewise(tuple(range(6)), at=(2, 2, 3, 5, 9), inclusive=inclusive)
    t = np.array([1.5, 2, 2, 2.5, 3, 3, 4.5, 5, 5.5, 20])
    wanted = [s(k) for k in t.tolist()]
    assert s(t).tolist() == wanted
    assert s(t[::-1]).tolist() == wanted[::-1]


def test_small_numbers_take_the_table_and_the_short_cut():
    """Powers of a block come from a table; subnormal ones are made as squares."""
    t = np.arange(200_000)
    for s in (
        StepDecay(1.0, gamma=0.5, every=3),
        Exponential(1.0, gamma=0.99),
        Exponential(1.0, rate=0.01),
        Cyclic(0.0, 1.0, up=3, mode="exp_range", gamma=0.99),
    ):
        values = s(t)
        picked = np.r_[0:3000, 70_000:80_000:97, 199_999]
        singles = [s(int(k)) for k in picked]
        np.testing.assert_allclose(values[picked], singles, rtol=2e-15, atol=5e-324)
        assert values[-1] == 0


@pytest.mark.parametrize("s", [Exponential(1.0, 0.5), Exponential(1.0, rate=0.7)])
def test_small_numbers_do_not_depend_on_the_other_steps(s):
    t = np.arange(1500)
    values = s(t)
    subnormal = (values > 0) & (values < np.finfo(float).tiny)
    assert subnormal[1030:1060].all()
    assert not values[1100:].any()
    for part in (t[:900], t[1020:1060], t[1100:], t[::-1]):
        np.testing.assert_array_equal(s(part), values[part])


@pytest.mark.parametrize(("log", "sign"), [(1.0, -1), (math.log(0.5), 1)])
def test_numpy_makes_normal_numbers_only(log, sign):
    """Other results take it thirty times as long."""
    made = []

    def function(y):
        made.append(np.exp(log * y))
        return made[-1].copy()

    y = sign * np.linspace(0, 3000, 4001)
    values = _normal_or_squared(function, y, log)
    assert len(made) == 1
    assert made[0].min() >= np.finfo(float).tiny
    np.testing.assert_allclose(values, np.exp(log * y), rtol=2e-13, atol=5e-324)


@pytest.mark.parametrize("rate", [-0.01, -1e300])
def test_a_rate_below_0_rises_to_infinity(rate):
    values = Exponential(1.0, rate=rate)(np.arange(100_000))
    assert values[0] == 1
    assert values[-1] == math.inf


def test_an_epoch_is_evaluated_once():
    """Unless there are more epochs than steps: then once for each step."""
    seen = []
    known = {0: 1.0, 2: 3.0}
    assert PerEpoch(Function(known.get), 10)(np.array([0, 25, 26])).tolist() == [
        1,
        3,
        3,
    ]
    s = PerEpoch(Function(lambda t: seen.append(t) or float(t)), 100)
    assert s(np.arange(350)).tolist() == [t // 100 for t in range(350)]
    assert seen == [0, 1, 2, 3]
    seen.clear()
    assert s(np.array([10**6, 50])).tolist() == [10**4, 0]
    assert seen == [10**4, 0]
    assert set(Cosine(0.5, total=3).per_epoch(10)(np.arange(100, 200))) == {0.0}
