"""The kernels as functions: the classes' update, for callers who own their state."""

import ctypes
import ctypes.util
import doctest
import inspect
import platform

import numpy as np
import pytest
from helpers import each_dtype, make, ordinary, same_bits
from table import ROWS

import lrcore
from lrcore import _core
from lrcore.optimizers.base.common import Averages, Common, Mechanics, Terms
from lrcore.optimizers.base.fields import Field

pytestmark = pytest.mark.isa

KINDS = lrcore.optimizers.available()
KERNEL_ROWS = [
    row
    for row in ROWS
    if KINDS[row.name].kind._is_a_kernel()
    and not {*Averages._fields, *Mechanics._fields} & row.kwargs.keys()
]


@pytest.mark.parametrize("row", KERNEL_ROWS, ids=lambda row: row.label)
@each_dtype
def test_a_kernel_is_its_class(row, dtype):
    rng = np.random.default_rng(0)
    p = ordinary(rng, (4, 5), dtype)
    twin = p.copy()
    opt = make(row, p, weight_decay=0.01)
    kernel = getattr(lrcore.kernels, row.name.lower())
    states = {k: s.copy() for k, s in opt.state[0].items()}
    hyper = {**row.kwargs, "weight_decay": 0.01}
    hyper.pop("initial_accumulator_value", None)  # in the caller's own state
    for t in range(1, 5):
        g = ordinary(rng, (4, 5), dtype)
        opt.step(g)
        kernel(twin, g, *states.values(), t=t, **hyper)
    assert same_bits(p, twin)
    assert all(same_bits(opt.state[0][name], states[name]) for name in states)


def test_keywords_may_be_arrays():
    p, m, v = np.ones(2), np.zeros(2), np.zeros(2)
    for t in (1, 2):
        lrcore.kernels.adam(p, np.ones(2), m, v, t=t, betas=np.array([0.9, 0.99]))
    assert m[0] == pytest.approx(0.1 + 0.1 * (1 - 0.1))


def test_there_is_one_for_each_optimizer():
    kinds = {
        name: found
        for name, found in lrcore.optimizers.available().items()
        if found.kind._is_a_kernel()
    }
    assert set(dir(lrcore.kernels)) == {kind.lower() for kind in kinds}
    for kind in kinds:
        kernel = getattr(lrcore.kernels, kind.lower())
        own = set(inspect.signature(kinds[kind].kind).parameters)
        own -= Common._fields.keys() - Terms._fields.keys()
        names = set(inspect.signature(kernel).parameters)
        assert {"p", "g", "states", "t", "num_threads", "denormals"} < names
        assert own - {"params", "initial_accumulator_value"} < names
        assert kernel.__name__ == kind.lower()
        assert f":class:`lrcore.{kind}`" in kernel.__doc__


@pytest.mark.parametrize("name", dir(lrcore.kernels))
def test_the_example_of_each_runs(name):
    """It passes as many states, and such ones, as the text says."""
    text = getattr(lrcore.kernels, name).__doc__
    names = {"np": np, "lrcore": lrcore}
    example = doctest.DocTestParser().get_doctest(text, names, name, None, 0)
    assert doctest.DocTestRunner().run(example, clear_globs=False).failed == 0
    moved = example.globs["p"].tolist() != [1, 1, 1]
    assert moved == (name != "adopt")  # whose first step sets v only


@pytest.mark.parametrize("threads", [1, 2])
def test_subnormals_are_flushed_or_kept(threads):
    for denormals, wanted in (("flush", 0.0), ("keep", 1e-310 * 0.5)):
        p, g, m = np.zeros(70_000), np.zeros(70_000), np.full(70_000, 1e-310)
        lrcore.kernels.sgd(
            p, g, m, t=2, momentum=0.5, num_threads=threads, denormals=denormals
        )
        assert (m == wanted).all()


LIBM = ctypes.CDLL(ctypes.util.find_library("m"))
RAISED = 0x3D & ~0x20 if platform.machine() == "x86_64" else 0x0F  # all but inexact


def test_floating_point_flags_are_the_callers_own():
    g = np.array([np.inf, 1e300, 0.0, 1e-300])
    LIBM.feclearexcept(RAISED)
    lrcore.kernels.adagrad(np.ones(4), g, np.zeros(4), t=1)
    assert LIBM.fetestexcept(RAISED) == 0


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the mode's number is x86's")
def test_rounding_is_the_kernels_own():
    upward = 0x800
    for dtype in ("float32", "float64"):
        p, twin = np.ones(100, dtype), np.ones(100, dtype)
        g = np.full(100, 0.3, dtype)
        lrcore.kernels.sgd(twin, g, t=1, lr=0.7)
        assert LIBM.fesetround(upward) == 0
        try:
            lrcore.kernels.sgd(p, g, t=1, lr=0.7)
            assert LIBM.fegetround() == upward
        finally:
            LIBM.fesetround(0)
        assert same_bits(p, twin)


def test_instruction_sets_can_be_chosen_and_set_back():
    held = lrcore.get_isa()
    for name, runs in _core.isas().items():
        if runs:
            lrcore.set_isa(name)
            assert lrcore.get_isa() == name
    lrcore.set_isa(None)
    assert lrcore.get_isa() == held


# --- keywords are remembered from call to call ----------------------------------------


def after(kwargs, *, dtype="float64", p0=-0.0):
    """What a step of SGD without momentum makes of -0.0, whose sign depends on lr's."""
    p, g = np.full(1, p0, dtype), np.ones(1, dtype)
    lrcore.kernels.sgd(p, g, t=1, **kwargs)
    return p


@pytest.mark.parametrize("wrong", [True, np.True_, float("nan"), "1", None, (1.0,)])
@pytest.mark.parametrize("right", [1, 1.0, np.float64(1), np.float32(1), np.array(1.0)])
def test_what_was_refused_is_refused_after_its_equal(right, wrong):
    after({"lr": right})
    with pytest.raises((TypeError, ValueError), match="lr: expected"):
        after({"lr": wrong})


def test_a_refused_keyword_is_forgotten():
    after({"lr": 1.0})
    for _ in range(2):
        with pytest.raises(ValueError, match="lr: expected"):
            after({"lr": float("nan")})
    assert after({"lr": 0.5}) == -0.5


@pytest.mark.parametrize("kind", [float, np.float64, np.float32])
def test_zeros_of_either_sign_are_two_keywords(kind):
    def alone(lr):
        lrcore.kernels.sgd(np.ones(1), np.ones(1), t=1, lr=0.25)
        return after({"lr": lr})

    plus, minus = kind(0.0), kind(-0.0)
    wanted = alone(plus), alone(minus)
    assert not same_bits(*wanted)
    for lr, same in [(plus, wanted[0]), (minus, wanted[1]), (plus, wanted[0])]:
        assert same_bits(after({"lr": lr}), same)


def test_numbers_of_all_types_mean_what_they_say():
    for one in (1, 1.0, np.float64(1), np.float32(1), np.int64(1), np.array(1.0)):
        for other in (0.5, np.float64(0.5), np.float32(0.5), np.array(0.5)):
            assert after({"lr": one}) == -1.0
            assert after({"lr": other}) == -0.5


def test_arrays_changed_between_calls_are_looked_at_again():
    lr, betas = np.array(0.5), [0.9, 0.99]
    assert after({"lr": lr}) == -0.5
    lr[...] = 0.25
    assert after({"lr": lr}) == -0.25
    m = np.zeros(2)
    for first in (0.5, 0.75):
        betas[0] = first
        lrcore.kernels.adam(np.ones(2), np.ones(2), m, np.zeros(2), t=1, betas=betas)
    assert m[0] == 0.5 + 0.25 * (1 - 0.5)


def test_the_same_keywords_are_checked_once(monkeypatch):
    calls = []
    check = Field.check
    monkeypatch.setattr(Field, "check", lambda *a: calls.append(a) or check(*a))
    for _ in range(3):
        after({"lr": float("0.125"), "nesterov": False})
    assert len(calls) == 2
