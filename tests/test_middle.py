"""Python code in the middle of a step: what it sees, and what its errors leave."""

import traceback

import numpy as np
import plans
import pytest
from helpers import draw, each_dtype, fresh, snapshot
from rounding import UPWARD, libm

import lrcore

pytestmark = pytest.mark.isa

# The optimizers that have Python code run by the core, and the method that makes it.
MAKERS = {
    "DoG": "_fold",
    "Prodigy": "_fold",
    "SPS": "_fold",
    "Muon": "_fold_directions",
}
each_maker = pytest.mark.parametrize("name", MAKERS)


def interrupted(name, then):
    """The class, and what it runs in the middle of a step runs then() first."""
    kind = getattr(lrcore, name)
    made_by = getattr(kind, MAKERS[name])

    def make(h):
        made = made_by(h)
        inner = made[-1] if isinstance(made, tuple) else made

        def in_the_middle(*args):
            then(*args)
            return inner(*args)

        return (*made[:-1], in_the_middle) if isinstance(made, tuple) else in_the_middle

    child = type(name, (kind,), {"__slots__": (), MAKERS[name]: staticmethod(make)})
    child.__doc__ = kind.__doc__
    return child


def step(opt, grads):
    return opt.step(grads, loss=1.0)  # which SPS asks for


# --- the floating-point mode ----------------------------------------------------------


@each_maker
@each_dtype
def test_subnormals_are_there_in_the_middle_of_a_step(name, dtype):
    """The kernels flush them, and what the caller runs is as it always is."""
    tiny = np.full(4, np.finfo(dtype).tiny, dtype)
    seen = []
    params = [np.ones((3, 4), dtype)]
    opt = interrupted(name, lambda *_: seen.append(tiny / 4))(params, denormals="flush")
    assert step(opt, [np.ones((3, 4), dtype)])
    assert len(seen) == 1
    assert (seen[0] * 4 == tiny).all()


@pytest.mark.skipif(UPWARD is None, reason="how to round up is not known here")
@pytest.mark.parametrize("name", ["DoG", "Prodigy", "SPS"])
@each_dtype
def test_sums_are_not_rounded_as_the_caller_does(name, dtype):
    """What is made of them in Python is."""
    p = np.linspace(-1, 3, 10_007).astype(dtype)
    g = np.linspace(0.1, 7, 10_007).astype(dtype)
    seen = []

    def look(*args):
        seen.append((args[-1], libm.fegetround()))

    opt = interrupted(name, look)(p, clip_norm=3.3, grad_scale=1.1)
    start, saved = p.copy(), opt.state_dict()
    for rounding in (0, UPWARD):
        p[...] = start
        opt.load_state_dict(saved)
        libm.fesetround(rounding)
        try:
            assert step(opt, g)
        finally:
            libm.fesetround(0)
    (nearest, to_nearest), (upward, up) = seen
    assert (to_nearest, up) == (0, UPWARD)
    assert nearest == upward
    assert any(nearest)


@pytest.mark.skipif(UPWARD is None, reason="how to round up is not known here")
@pytest.mark.parametrize("least", [False, True])
def test_rows_and_columns_are_not_summed_as_the_caller_rounds(least):
    g = np.linspace(0.1, 7, 77 * 50).reshape(77, 50)
    coefs = (1e-3,) if least else (0.3, 1e-3, 0.0)
    sides = [(np.full(77, 0.3), 77), (np.full(50, 0.7), 50)]
    name = "least" if least else "product"
    found = []
    for rounding in (0, UPWARD):
        libm.fesetround(rounding)
        try:
            u, new = plans.factored(name, coefs, g, g, sides)
            found.append(snapshot([u, *new]))
        finally:
            libm.fesetround(0)
    assert found[0] == found[1]


# --- errors ---------------------------------------------------------------------------


@each_maker
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("options", [{}, {"clip_norm": 1.0, "zero_grads": True}])
def test_an_error_in_the_middle_of_a_step_leaves_all_as_it_was(name, error, options):
    """To the bit, and the optimizer goes on as if there had been none."""
    fails = False

    def in_the_middle(*_):
        if fails:
            raise error("in the middle")

    kind = interrupted(name, in_the_middle)
    params, twins = fresh(), fresh()
    opt, twin = (kind(each, telemetry=True, **options) for each in (params, twins))
    for t in range(2):
        step(opt, draw(params, t))
        step(twin, draw(params, t))
    grads = draw(params, 2)
    before = all_of(opt, params), snapshot(grads)
    fails = True
    for _ in range(2):
        with pytest.raises(error, match="in the middle") as raised:
            step(opt, grads)
        names = [frame.name for frame in traceback.extract_tb(raised.tb)]
        assert names[-1] == "in_the_middle"
        assert (all_of(opt, params), snapshot(grads)) == before
    fails = False
    assert step(opt, grads)
    assert step(twin, draw(params, 2))
    assert all_of(opt, params) == all_of(twin, twins)


def arrays_of(opt, params):
    """Bits of the params and states, but for scratch."""
    states = [a for state in opt.state for name, a in state.items() if name != "u"]
    return snapshot([*params, *states])


def all_of(opt, params):
    return arrays_of(opt, params), opt.t, opt._plan.gathered, opt.report


def test_an_error_in_the_step_of_one_array_leaves_all_as_it_was():
    """The round has not begun, or goes on."""
    fails = False

    def in_the_middle(*_):
        if fails:
            raise ValueError("in the middle")

    params = [np.ones((3, 4)), np.ones((2, 5))]
    opt = interrupted("Muon", in_the_middle)(params, telemetry=True)
    grads = [np.full_like(p, 0.5) for p in params]
    assert step(opt, grads)
    for k in range(2):
        fails = True
        before = arrays_of(opt, params), opt.report, set(opt._plan.to_come)
        with pytest.raises(ValueError, match="in the middle"):
            opt.step_one(k, 2 * grads[k])
        after = arrays_of(opt, params), opt.report, set(opt._plan.to_come)
        assert after == before
        fails = False
        assert opt.step_one(k, grads[k])
    assert opt.t == 2


def test_sides_of_second_moments_are_kept_only_if_the_step_is_taken():
    """They are made before the directions, whose error refuses the step."""
    fails = True

    def in_the_middle(*_):
        if fails:
            raise ValueError("in the middle")

    muon = interrupted("Muon", in_the_middle)
    params = {name: np.ones((3, 4)) for name in ("muon", "adafactor", "sm3")}
    kinds = {"muon": muon, "adafactor": lrcore.Adafactor, "sm3": lrcore.SM3}
    opt = lrcore.Mixed(kinds, params)
    grads = {name: np.full((3, 4), 0.5) for name in params}
    before = arrays_of(opt, params.values())
    with pytest.raises(ValueError, match="in the middle"):
        opt.step(grads)
    assert arrays_of(opt, params.values()) == before
    fails = False
    assert opt.step(grads)
    sides = [a for state in opt.state[1:] for a in state.values()]
    assert len(sides) == 4
    assert all((side == 0.25).all() for side in sides)
