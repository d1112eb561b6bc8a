"""Schedules: pure, in closed form, for a step or an array of them."""

import json
import math
import pickle
from dataclasses import dataclass, fields
from operator import add, mul, sub, truediv

import numpy as np
import pytest

import lrcore
from lrcore import ReduceOnPlateau, schedules
from lrcore.schedules import (
    WSD,
    Clamp,
    Constant,
    Cosine,
    CosineRestarts,
    Cyclic,
    Exponential,
    FlatCosine,
    Function,
    Interpolate,
    InverseSqrt,
    InverseTime,
    Join,
    Linear,
    MultiStep,
    Noam,
    OneCycle,
    PerEpoch,
    Piecewise,
    Polynomial,
    Rex,
    Schedule,
    StepDecay,
    Tanh,
    Warmup,
    join,
)

ALL = [
    Constant(0.3),
    StepDecay(0.5, gamma=0.1, every=7),
    MultiStep(0.5, at=(3, 9, 9, 40), gamma=0.5),
    Piecewise((0.5, 0.2, 0.1), at=(5, 31)),
    Piecewise((0.5, 0.2, 0.1), at=(5, 31), inclusive=True),
    Interpolate((0.1, 0.5, 0.2, 0.3), at=(2, 10, 10, 40.5)),
    Interpolate((0.1, 0.5, 0.2), at=(0, 10, 40), shape="cosine"),
    Exponential(0.5, gamma=0.97),
    Exponential(0.5, rate=0.2, every=3),
    Linear(0.1, 0.7, total=13),
    Polynomial(0.5, total=31, power=2.5, end=0.1),
    Polynomial(0.5, total=7, power=0.5, cycle=True),
    InverseTime(0.5, rate=0.3, every=7),
    InverseTime(0.5, rate=0.3, every=7, staircase=True),
    InverseSqrt(0.5, timescale=10),
    Cosine(0.5, total=31, end=0.01),
    Cosine(0.5, total=13, rises=True),
    FlatCosine(0.5, total=31),
    WSD(0.5, total=40, warmup_steps=5, decay_steps=13, shape="sqrt", end=0.1),
    WSD(0.5, total=40, warmup_steps=0, decay_steps=40, shape="cosine"),
    WSD(0.5, total=40, warmup_steps=5, decay_steps=35, start=0.1, first=0),
    Noam(model_size=64, warmup_steps=10),
    Rex(0.5, total=31, end=0.1),
    Tanh(0.5, total=31),
    CosineRestarts(0.5, every=5, mult=1, gamma=0.5, end=0.1),
    CosineRestarts(0.5, every=3, mult=2),
    CosineRestarts(0.5, every=3, mult=1.5),
    Cyclic(0.1, 0.5, up=3, down=8),
    Cyclic(0.1, 0.5, up=5, mode="triangular2"),
    Cyclic(0.1, 0.5, up=5, mode="exp_range", gamma=0.9),
    OneCycle(0.5, total=40),
    OneCycle(0.5, total=40, shape="linear", three_phase=True, inclusive=False),
    OneCycle(0.5, total=40).momentum(),
    Warmup(5, Cosine(0.5, total=31)),
    Warmup(5, Cosine(0.5, total=31), start=0.1, shape="exponential", first=0),
    Warmup(5, Cosine(0.5, total=31), shape="log"),
    Cosine(0.5, total=20).warmup(3).then(15, Constant(0.2)),
    Join(
        (Constant(1.0), Linear(1, 0, total=4), Exponential(0.5, gamma=0.5)), at=(3, 9)
    ),
    Cosine(0.5, total=31).clamp(low=0.1, high=0.4),
    Cosine(0.5, total=6).per_epoch(7),
    Cosine(0.5, total=6).per_epoch(7, fractional=True),
    0.5 * Cosine(0.5, total=31),
    1 - 0.5 * Cosine(0.5, total=31) * Exponential(1.0, 0.9) + Constant(0.1).scale(2),
    Cosine(0.5, total=31) / 3,
    # The limits.
    MultiStep(0.5, at=()),
    MultiStep(0.5, at=(0, 0, 7)),
    Piecewise((0.5,), at=()),
    Piecewise((0.5, 0.2, 0.1), at=(0, 0)),
    Linear(0.1, 0.7, total=0),
    Polynomial(0.5, total=0, power=2.5, end=0.1),
    Cosine(0.5, total=0, end=0.1),
    FlatCosine(0.5, total=0, end=0.1),
    WSD(0.5, total=0, warmup_steps=0, decay_steps=0, end=0.1),
    WSD(0.5, total=7, warmup_steps=7, decay_steps=0, end=0.1),
    Noam(model_size=64, warmup_steps=0),
    Rex(0.5, total=0, end=0.1),
    Tanh(0.5, total=0, end=0.1),
    Warmup(0, Cosine(0.5, total=31)),
    Warmup(0, Cosine(0.5, total=31), shape="log"),
    Warmup(1, Cosine(0.5, total=31), shape="log"),
    Warmup(9, Cosine(0.5, total=0)),
    Constant(0.5).then(0, Cosine(0.2, total=31)),
    Join((Constant(0.5), Constant(0.1), Cosine(0.2, total=31)), at=(7, 7)),
    Join((Cosine(0.5, total=31),), at=()),
]
each = pytest.mark.parametrize("s", ALL, ids=repr)


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


@each
def test_blocks_of_an_array_do_not_show(s):
    """An array is evaluated block by block, a block of one phase by a number."""
    t = np.arange(20_000)
    values = s(t)
    few = s(t[::37].copy())  # of many phases in a block
    np.testing.assert_allclose(few, values[::37], rtol=2e-15, atol=1e-16)
    shuffled = np.random.default_rng(0).permutation(t)
    np.testing.assert_array_equal(s(shuffled), values[shuffled])


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
    assert len(HELD) == 47


@pytest.mark.parametrize("s", HELD, ids=repr)
def test_the_last_value_is_held(s):
    last = s(100)
    assert s(10**6) == s(10**12) == last
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


def test_numbers_compose_and_other_things_do_not():
    s = Cosine(0.5, total=10)
    assert (2 * s)(5) == (s * 2)(5) == s.scale(2)(5) == 0.5
    assert (1 - s)(5) == 0.75
    assert (-s)(5) == -0.25
    assert (s + s * s * 2)(5) == 0.375
    assert (s - 1)(5) == (s - Constant(1.0))(5) == -0.75
    assert s - 1 == s + -1
    assert ((s / 3)(5), (s / np.float32(-4))(5)) == (0.25 / 3, -0.0625)
    assert (s / 3)(np.array([5])) == np.array([0.25]) / 3
    for other in ("x", None, np.ones(2), True, int, ReduceOnPlateau(1.0)):
        for operator in (add, sub, mul, truediv):
            for pair in ((s, other), (other, s)):
                with pytest.raises(TypeError):  # NumPy has other words
                    operator(*pair)
    for number in (math.inf, math.nan):
        with pytest.raises(ValueError, match="other: expected a finite number, found"):
            s * number
    with pytest.raises(ValueError, match="by: expected a finite number other than 0"):
        s / 0
    for other in (s, sqrt):
        with pytest.raises(TypeError, match="unsupported operand"):
            s / other
    with pytest.raises(TypeError, match="unsupported operand"):
        1 / s


def sqrt(t):
    """A function that takes no arrays."""
    return math.sqrt(t) / 8


@pytest.mark.parametrize(
    ("s", "formula"),
    [
        (Function(sqrt), lambda t: sqrt(t)),
        (Warmup(4, sqrt, start=0.5), lambda t: sqrt(max(t - 4, 0))),
        (Constant(1.0).then(9, sqrt), lambda t: 1 if t < 9 else sqrt(t - 9)),
        (join([sqrt, 0.25], [9]), lambda t: sqrt(t) if t < 9 else 0.25),
        (0.5 - 2 * Constant(0.5) * sqrt, lambda t: 0.5 - sqrt(t)),
        (sqrt + Constant(1.0), lambda t: sqrt(t) + 1),
        (PerEpoch(sqrt, 3), lambda t: sqrt(t // 3)),
        (PerEpoch(sqrt, 3, fractional=True), lambda t: sqrt(t / 3)),
        (Clamp(sqrt, high=0.5), lambda t: min(sqrt(t), 0.5)),
        (Warmup(4, 0.5), lambda t: 0.5 * min((t + 1) / 4, 1)),
    ],
)  # fmt: skip
def test_schedules_are_composed_of_functions_and_numbers(s, formula):
    values = [s(t) for t in range(40)]
    np.testing.assert_allclose(values, [formula(t) for t in range(40)], rtol=2e-15)
    assert s(np.arange(40)).tolist() == pytest.approx(values, rel=2e-15)
    assert pickle.loads(pickle.dumps(s)) == s
    assert hash(pickle.loads(pickle.dumps(s))) == hash(s)


def test_a_function_is_called_with_ints():
    seen = []
    s = Function(lambda t: seen.append(t) or 0.5).warmup(2)
    s(np.arange(5))
    s(7.0)
    s(np.int32(8))
    assert seen == [0, 0, 0, 0, 1, 2, 5, 6]
    assert all(type(t) is int for t in seen)


def test_a_function_cannot_be_a_dict():
    with pytest.raises(TypeError, match=r"to_dict: .* the function <function sqrt at"):
        (2 * Warmup(3, sqrt)).to_dict()


def nothing(t):
    pass


@pytest.mark.parametrize("t", [7, np.arange(9)])
def test_what_gives_no_number_is_named(t):
    with pytest.raises(TypeError, match=r"<function nothing at .*> to return a number"):
        Constant(1.0).then(5, nothing)(t)
    with pytest.raises(TypeError, match=r"Nothing\(base=1.0\): expected _at to return"):
        Nothing(1.0)(t)


@dataclass(frozen=True, repr=False)
class Nothing(Schedule):
    base: float

    def _at(self, t, xp):
        pass


def test_a_class_that_is_no_dataclass_is_refused():
    """At its definition if it has an __init__, or else when it is made."""
    with pytest.raises(TypeError, match=r"^Plain: expected a dataclass.*@dataclass\("):

        class Plain(Schedule):
            def __init__(self, base):
                self.base = base

    class Bare(Schedule):
        base: float

        def _at(self, t, xp):
            return 1.0

    saved = {"schedule": Bare._name, "base": 1.0}
    for build in (Bare, lambda: Bare(1.0), lambda: Schedule.from_dict(saved)):
        with pytest.raises(TypeError, match=r"^Bare: expected a dataclass"):
            build()

    class Doubled(Cosine):
        """Without fields of its own, it is one by its base."""

        def _at(self, t, xp):
            return 2 * super()._at(t, xp)

    assert Doubled(0.5, total=10)(5) == 0.5


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


def test_limits():
    """No warm-up, no milestones, no steps: what they come to when steps become few."""
    s = Cosine(0.5, total=31)
    t = np.arange(60)
    for same in (s.warmup(0), Constant(9.0).then(0, s), Join((s,), ())):
        np.testing.assert_array_equal(same(t), s(t))
        assert [same(k) for k in range(60)] == [s(k) for k in range(60)]
    assert set(MultiStep(0.5, at=())(t)) == {0.5}
    phases = (Constant(3.0), Constant(2.0), Constant(1.0))
    assert join(phases, [5, 5])(t[3:7]).tolist() == [3, 3, 1, 1]
    for none in (
        Linear(0.5, 0.1, 0), Polynomial(0.5, 0, end=0.1), Cosine(0.5, 0, end=0.1),
        FlatCosine(0.5, 0, end=0.1), Rex(0.5, 0, end=0.1), WSD(0.5, 0, 0, 0, end=0.1),
    ):  # fmt: skip
        assert none(t[:4]).tolist() == [none(k) for k in range(4)] == [0.5, *[0.1] * 3]
        all_of_it = none.warmup(100)
        assert all_of_it(0) == 0.005
        assert [all_of_it(k) for k in (99, 100, 101)] == [0.5, 0.5, 0.1]
    decay = WSD(0.5, total=9, warmup_steps=0, decay_steps=0, end=0.1)
    assert [decay(k) for k in (0, 8, 9)] == [0.5, 0.5, 0.1]
    assert [Noam(64, warmup_steps=0)(k) for k in (0, 3)] == [1 / 8, 1 / 16]


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


@pytest.mark.parametrize("saved", [3, {}, {"base": 1.0}])
def test_what_is_no_dict_of_a_schedule_is_refused(saved):
    with pytest.raises(TypeError, match="saved: expected a schedule's to_dict"):
        Schedule.from_dict(saved)


def test_an_unknown_schedule_or_parameter_is_refused():
    with pytest.raises(ValueError, match="schedule: found an unknown one, 'Nosuch'"):
        Schedule.from_dict({"schedule": "Nosuch"})
    with pytest.raises(ValueError, match=r"Constant: .* found \['bse'\]"):
        Schedule.from_dict({"schedule": "Constant", "bse": 1.0})
    with pytest.raises(ValueError, match="total: expected a number of steps"):
        Schedule.from_dict({"schedule": "Cosine", "base": 1.0, "total": -1})


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


# --- what goes wrong elsewhere --------------------------------------------------------


@pytest.mark.parametrize("mult", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("first", [1, 2, 7, 10])
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


def test_small_numbers_take_the_table_and_the_short_cut():
    """Powers of a block come from a table, and those that are 0 by a short cut."""
    t = np.arange(200_000)
    for s in (StepDecay(1.0, gamma=0.5, every=3), Exponential(1.0, gamma=0.99)):
        values = s(t)
        picked = np.r_[0:3000, 70_000:80_000:97, 199_999]
        singles = [s(int(k)) for k in picked]
        np.testing.assert_allclose(values[picked], singles, rtol=2e-15, atol=5e-324)
        assert values[-1] == 0


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


# --- bad parameters -------------------------------------------------------------------

BAD = [
    (lambda: MultiStep(1.0, at=(3, 2)), r"at: expected sorted steps"),
    (lambda: MultiStep(1.0, at=(-3, 2)), r"at\[0\]: expected a number"),
    (lambda: MultiStep(1.0, at=7), "at: expected a sequence"),
    (lambda: Piecewise((1, 2), (5, 6)), "values: expected 3, one more than at has"),
    (lambda: Piecewise((1, 2, 3), (6, 5)), "at: expected sorted steps"),
    (lambda: Piecewise((1, 2, 3), (5,)), "values: expected 2, one more than at has"),
    (lambda: Interpolate((1, 2), (5,)), "at: expected 2 steps, one for each value"),
    (lambda: Interpolate((1, 2), (5, 4)), "at: expected sorted steps"),
    (lambda: Interpolate((1, 2), (4, 5), "cubic"), "shape: expected one of 'linear'"),
    (lambda: Interpolate((1, 2), (-4, 5)), r"at\[0\]: expected a finite number >= 0"),
    (lambda: StepDecay(1.0, 0.5), "missing 1 required .* 'every'"),
    (lambda: Exponential(1.0), "gamma: expected one of gamma and rate"),
    (lambda: Exponential(1.0, 0.5, rate=1), "gamma: expected one of gamma and rate"),
    (lambda: Polynomial(1.0, 5, power=-1), "power: expected a finite number > 0"),
    (lambda: Polynomial(1.0, 5, cycle=1), "cycle: expected True or False, found 1"),
    (lambda: InverseTime(1.0, rate=-1), "rate: expected a finite number >= 0"),
    (lambda: InverseSqrt(1.0, timescale=0), "timescale: expected a finite number > 0"),
    (lambda: FlatCosine(1.0, 10, pct_start=1), "pct_start: expected less than 1"),
    (
        lambda: FlatCosine(1.0, 10, pct_start=2),
        r"pct_start: expected a number in \[0, 1\]",
    ),
    (lambda: WSD(1.0, 10, 6, 5), "warmup_steps, decay_steps: expected at most total"),
    (lambda: WSD(1.0, 10, -1, 5), "warmup_steps: expected a number of steps"),
    (lambda: Noam(0, 10), "model_size: expected"),
    (lambda: Tanh(1.0, 10, low=3, high=3), "low: expected less than high = 3"),
    (lambda: CosineRestarts(1.0, 5, mult=1.001), "mult: expected 1 or at least 1.01"),
    (lambda: CosineRestarts(1.0, 5, mult=0.5), "mult: expected 1 or at least 1.01"),
    (lambda: Cyclic(0.1, 1.0, up=0), "up: expected a number of steps"),
    (lambda: Cyclic(0.1, 1.0, up=3, down=-2), "down: expected a number of steps"),
    (lambda: Cyclic(0.1, 1.0, up=3, mode="sine"), "mode: expected one of 'triangular'"),
    (lambda: Cyclic(0.1, 1.0, up=3, gamma=0.9), 'gamma: expected mode="exp_range"'),
    (lambda: Cyclic(0.1, 1.0, 3, mode="exp_range", gamma=2), "gamma: expected at most"),
    (lambda: OneCycle(1.0, 10, pct_start=1), "pct_start: expected less than 1"),
    (lambda: OneCycle(1.0, 10, div=1e-320), r"values\[0\]: expected a finite number"),
    (lambda: Cosine(1.0, total=10**400), "total: expected at most 2"),
    (lambda: join(Constant(1.0), [5]), "schedules: expected a sequence"),
    (lambda: Interpolate((1, 2), (4, 5), np.array(["linear"])), "shape: expected"),
    (lambda: OneCycle(1.0, total=1), "total: expected at least 2 steps"),
    (lambda: OneCycle(1.0, 10, pct_start=0.6, three_phase=True), "pct_start: with"),
    (lambda: OneCycle(1.0, 10, pct_start=0.1, three_phase=True), "pct_start: with"),
    (lambda: OneCycle(1.0, 10, div=0), "div: expected a finite number > 0"),
    (lambda: OneCycle(1.0, 10).momentum(low="x"), "low: expected a finite number"),
    (
        lambda: Warmup(5, Constant(1.0), start=1.5),
        r"start: expected a number in \[0, 1\]",
    ),
    (lambda: Warmup(5, Constant(1.0), shape="exponential"), "start: expected a factor"),
    (
        lambda: Warmup(5, Constant(1.0), shape="log", first=0),
        "first: expected 1 with a",
    ),
    (lambda: Warmup(5, Constant(1.0), first=2), "first: expected one of 0, 1, found 2"),
    (lambda: Clamp(Constant(1.0), low=2, high=1), "low: expected at most high = 1"),
    (lambda: Constant(1.0).per_epoch(0), "steps_per_epoch: expected a number of steps"),
    (lambda: Constant(1.0).scale(math.inf), "factor: expected a finite number"),
    (lambda: join([], []), "schedules: expected at least one"),
    (lambda: Constant(math.nan), "base: expected a finite number, found nan"),
    (lambda: Constant("x"), "base: expected a finite number"),
    (lambda: StepDecay(1.0, gamma=0, every=1), "gamma: expected a finite number > 0"),
    (lambda: StepDecay(1.0, gamma=0.1, every=0), "every: expected a number of steps"),
    (lambda: StepDecay(1.0, gamma=0.1, every=1.5), "every: expected a number of steps"),
    (lambda: Exponential(1.0, gamma=-1), "gamma: expected a finite number > 0"),
    (lambda: Linear(0.0, math.inf, 3), "end: expected a finite number"),
    (lambda: Linear(0.0, 1.0, -3), "total: expected a number of steps"),
    (lambda: Cosine(1.0, total=True), "total: expected a number of steps"),
    (lambda: Cosine(1.0, total=10).warmup(-1), "steps: expected a number of steps"),
    (lambda: Cosine(1.0, total=0, rises=True), "total: expected at least 1 step if"),
    (lambda: Polynomial(1.0, 0, cycle=True), "total: expected at least 1 in a cycle"),
    (lambda: Warmup(3, "x"), "after: expected a finite number, or a schedule, found"),
    (lambda: Warmup(3, int), "after: expected a finite number, or a schedule, found"),
    (lambda: Warmup(3, math.nan), "after: expected a finite number, found nan"),
    (lambda: Warmup(3, ReduceOnPlateau(1.0)), "after: expected a function of the step"),
    (lambda: Function(3), "function: expected a function of the step, found 3"),
    (lambda: Constant(1.0).then(3, "x"), "other: expected a finite number"),
    (lambda: Join(ALL[:3], at=(3,)), "at: expected 2 steps for 3 schedules, found 1"),
    (lambda: Join(ALL[:3], at=(4, 3)), r"at: expected sorted steps, found \(4, 3\)"),
]


@pytest.mark.parametrize(("build", "text"), BAD)
def test_bad_parameters_are_refused_at_construction(build, text):
    with pytest.raises((ValueError, TypeError), match=text):
        build()
