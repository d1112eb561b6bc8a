"""Schedules of functions, numbers and classes of one's own; limits; what is refused."""

import math
import pickle
from dataclasses import dataclass
from operator import add, mul, sub, truediv

import numpy as np
import pytest
from every_schedule import ALL

from lrcore import ReduceOnPlateau
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
    (lambda: OneCycle(1.0, 10, div=1e-320), "div, final_div: expected finite values"),
    (lambda: OneCycle(1.0, 10, final_div=1e-320), "at both ends, found 0.04 and inf"),
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
