"""Schedules: pure, in closed form, for a step or an array of them."""

import json
import math
import pickle
from dataclasses import dataclass, fields

import numpy as np
import pytest
from every_schedule import ALL, each

import lrcore
from lrcore import schedules
from lrcore.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    Cyclic,
    Exponential,
    InverseSqrt,
    InverseTime,
    Linear,
    MultiStep,
    Noam,
    OneCycle,
    Piecewise,
    Polynomial,
    Schedule,
    StepDecay,
)


@each
def test_a_step_and_an_array_of_steps_agree(s):
    t = np.arange(60)
    values = s(t)
    assert (values.dtype, values.shape) == (np.float64, t.shape)
    singles = [s(int(k)) for k in t]
    assert all(type(value) is float for value in singles)
    # A few roundings of functions whose libraries differ in the last bit.
    np.testing.assert_allclose(values, singles, rtol=2e-15, atol=1e-16)
    assert s(t.reshape(6, 10)).shape == (6, 10)
    assert s(np.array(7)).shape == ()
    assert s(np.int64(7)) == s(7)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.float16, np.float32])
def test_numpy_scalars_are_computed_in_float64(kind):
    """Their own range and precision would not do."""
    for s in (Constant(1.0).warmup(300), Linear(0.0, 1.0, total=70_000)):
        assert s(kind(100)) == s(100)
        assert s(np.array([100], kind))[0] == s(100)
    assert Constant(1.0).warmup(128)(np.int8(127)) == 1.0


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
    assert Schedule.from_dict(json.loads(json.dumps(s.to_dict()))) == s
    assert s != Constant(12345.0)
    with pytest.raises(AttributeError):
        s.base = 1.0


def has_an_end(s):
    """Whether a schedule comes to a last value within the first 100 steps."""
    parts = [s, *vars(s).values(), *getattr(s, "schedules", ())]
    parts += [*getattr(s, "terms", ()), *getattr(s, "factors", ())]
    endless = (CosineRestarts, Cyclic, Exponential, InverseSqrt, InverseTime, Noam,
               StepDecay)  # fmt: skip
    return not any(
        isinstance(part, endless)
        or getattr(part, "rises", False)
        or getattr(part, "cycle", False)
        for part in parts
    )


HELD = [s for s in ALL if has_an_end(s)]


def test_most_come_to_an_end():
    assert len(HELD) > 0.7 * len(ALL)


@pytest.mark.parametrize("s", HELD, ids=repr)
def test_the_last_value_is_held(s):
    last = s(100)
    assert s(10**6) == s(10**12) == last, "name what has no end in has_an_end"
    # NumPy's functions and the C library's may differ in the last bit.
    assert s(np.array([10**12])) == pytest.approx(last, rel=2e-15)


@dataclass(frozen=True, repr=False)
class Own(Schedule):
    base: float

    def _at(self, t, xp):
        return self.base * xp.sqrt(t)


def test_a_class_of_ones_own():
    s = Own(0.5).warmup(2)
    assert (s(6), s(np.array([6.0]))[0]) == (1.0, 1.0)
    assert Schedule.from_dict(json.loads(json.dumps(s.to_dict()))) == s
    assert repr(Own(0.5)) == "Own(base=0.5)"


OLD_WORDS = [
    (StepDecay, {"base": 0.5, "every": 7}, "drop", "gamma", 0.1),
    (MultiStep, {"base": 0.5}, "milestones", "at", (3, 9)),
    (Piecewise, {"values": (0.5, 0.1)}, "boundaries", "at", (3,)),
    (Linear, {"end": 0.5, "total": 7}, "start", "base", 0.1),
    (Linear, {"base": 0.1, "end": 0.5}, "steps", "total", 7),
    (Polynomial, {"base": 0.1}, "steps", "total", 7),
    (InverseTime, {"base": 0.1, "rate": 0.5}, "steps", "every", 7),
    (CosineRestarts, {"base": 0.1, "mult": 2}, "first", "every", 7),
]


@pytest.mark.parametrize(("kind", "given", "old", "new", "value"), OLD_WORDS)
def test_old_words_are_the_new_ones_and_warn(kind, given, old, new, value):
    wanted = kind(**given, **{new: value})
    text = f"^{kind.__name__}: {old} is now called {new}; the old name goes in lrcore 0"
    with pytest.warns(DeprecationWarning, match=text) as caught:
        assert kind(**given, **{old: value}) == wanted
    with pytest.warns(DeprecationWarning, match=text):
        assert getattr(wanted, old) == value
    assert caught[0].filename == __file__
    saved = wanted.to_dict()
    saved[old] = saved.pop(new)
    with pytest.warns(DeprecationWarning, match=text):
        assert Schedule.from_dict(saved) == wanted
    with pytest.raises(TypeError, match=f"{new}: expected one name, found {old}"):
        kind(**given, **{old: value, new: value})


def test_words_are_the_same_in_all_schedules():
    """Those of the README; what is old is no word of another schedule's."""
    words = {f.name for s in ALL for f in fields(s)}
    assert {"base", "peak", "end", "total", "every", "at"} <= words
    assert words.isdisjoint({"drop", "milestones", "boundaries"})


def test_pickles_have_no_caches():
    s = CosineRestarts(1.0, every=10, mult=1.01)
    before = pickle.dumps(s)
    s(5)
    assert pickle.dumps(s) == before


def test_plot_shows_the_whole_of_it():
    """Steps are those of all parts and a tenth more, unless they are given."""
    total = 3 + 15 + 20
    figures = [
        Cosine(0.5, total=99).warmup(3).then(18, Cosine(0.5, 20)).plot(),
        Cosine(0.5, total=2).per_epoch(10).plot(),
        CosineRestarts(0.5, every=10, mult=2).plot(),
        Constant(1.0).plot(steps=7),
    ]
    shown = [len(figure.axes[0].lines[0].get_xdata()) for figure in figures]
    assert shown == [total * 11 // 10 + 1, 23, 78, 7]


def test_all_are_tested():
    known = {name for name, value in vars(schedules).items() if isinstance(value, type)}
    assert known == {type(s).__name__ for s in ALL} | {"Schedule", "Function"}


@each
def test_a_negative_step_is_refused(s):
    for t in (-1, np.array([0, -1]), math.nan, np.array([np.nan]), math.inf, 10**400):
        with pytest.raises(ValueError, match="t: expected"):
            s(t)
    for t in ("a", None, [1, 2], np.array(["a"]), np.array([True]), np.array([1j])):
        with pytest.raises(TypeError, match="t: expected"):
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
    s = Constant(9.0).then(5, Linear(1.0, 0.0, total=10))
    assert (s(4), s(5), s(10), s(15)) == (9.0, 1.0, 0.5, 0.0)
    assert s(np.array([4, 5, 10])).tolist() == [9.0, 1.0, 0.5]
    assert Constant(9.0).then(5, 0.1) == Constant(9.0).then(5, Constant(0.1))


@pytest.mark.parametrize("mult", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("first", [1, 2, 7, 10])
# --- what goes wrong elsewhere --------------------------------------------------------


def test_restarts_begin_at_the_top(first, mult):
    """A cycle's index from floor(log(...)) lands on the minimum at some of these."""
    s = CosineRestarts(1.0, every=first, mult=mult)
    begins, length = [0], first
    while begins[-1] < 10**9 and len(begins) < 50:
        begins.append(begins[-1] + length)
        length *= mult
    assert [s(t) for t in begins] == [1.0] * len(begins)
    np.testing.assert_array_equal(s(np.array(begins)), 1.0)
    if first > 1:
        assert all(s(t - 1) < 0.6 for t in begins[1:])


@pytest.mark.parametrize("mult", [2, 1.01, 1e308])
def test_restarts_go_on_beyond_all_that_is_exact(mult):
    s = CosineRestarts(1.0, every=10, mult=mult)
    assert 0 <= s(1e18) <= 1
    assert s(np.array([1e18]))[0] == s(1e18)


def test_one_cycle_goes_on_after_its_last_step():
    s = OneCycle(1.0, total=10)
    assert s(10) == s(10**6) == s(9) == 1 / 25 / 1e4


@pytest.mark.parametrize("pct_start", [0.0, 0.05, 0.1])
def test_one_cycle_with_phases_of_no_length(pct_start):
    """pct_start * total = 1 makes the rise no steps long, which others divide by."""
    for inclusive in (True, False):
        s = OneCycle(1.0, total=10, pct_start=pct_start, inclusive=inclusive)
        values = s(np.arange(12))
        assert np.isfinite(values).all()
        assert values[11] == 1 / 25 / 1e4
    assert OneCycle(1.0, total=10, pct_start=0.1)(0) == 1.0


def test_nothing_is_resumed():
    """A joined schedule asked from the middle is what it would have been."""
    s = Cosine(0.5, 20).warmup(3).then(15, StepDecay(0.2, 0.5, 4))
    whole = [s(t) for t in range(40)]
    assert [s(t) for t in range(17, 40)] == whole[17:]


def test_rates_do_not_drift():
    """Multiplied up in float32, a rate would be off by 3e-4 after 20,000 steps."""
    gamma = 0.9999
    exact = 0.1 * math.exp(20_000 * math.log(gamma))
    assert Exponential(0.1, gamma)(20_000) == pytest.approx(exact, rel=1e-12)
