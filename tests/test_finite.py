"""A finite gradient makes no NaN, and one that is not finite still shows."""

import itertools

import numpy as np
import pytest
from helpers import (
    KINDS,
    MORE,
    REFUSED,
    all_same,
    each_dtype,
    each_kind,
    each_row,
    make,
    ordinary,
    same_bits,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from table import Row

import lrcore
from lrcore import reference

pytestmark = pytest.mark.isa

# The sizes of gradients: nothing, subnormal, the least normal one, one whose square
# underflows, ordinary, one whose square overflows, and nearly the largest.
SIZES = {
    "float32": [0.0, 3e-45, 1.2e-38, 1e-25, 1.0, 1e20, 3e38],
    "float64": [0.0, 1e-323, 2.3e-308, 1e-170, 1.0, 1e160, 1.7e308],
}
SIGNED = {k: [s * x for x in v for s in (1, -1)] for k, v in SIZES.items()}
LARGEST = {k: v[-1] for k, v in SIZES.items()}

OPTIONS = {
    "alone": {},
    "coupled": {"weight_decay": 0.1, "decoupled_weight_decay": False},
    "decoupled": {"weight_decay": 0.1, "decoupled_weight_decay": True},
    "maximize": {"maximize": True},
    "averages": {"ema_decay": 0.9, "swa_start": 1},
    "lookahead": {"lookahead_steps": 2},
    "mechanic": {"mechanic": True},
}

# The exact params of these can be out of range: their rates grow with g.g_old and g.u,
# or are |p - p0| over eps where all gradients are 0, by which p decays then.
DIVERGE = {(name, option) for name in ("SGDHD", "AdamHD") for option in OPTIONS}
DIVERGE |= {(name, "decoupled") for name in ("DoG", "LDoG", "DoWG")}
# So that the sum of all steps of lr g is in range.
SMALL = {name: {"lr": 1e-3} for name in ("SGD", "SGDW", "SGDScheduleFree", "LARS")}


def takes(name, option):
    return not REFUSED.get(name, set()) & OPTIONS[option].keys() and (
        option != "mechanic" or KINDS[name]._takes_mechanic()
    )


def optimizer(row, params, option="alone", **more):
    return make(row, params, **{**SMALL.get(row.name, {}), **OPTIONS[option], **more})


def stays_finite(opt, params, steps, diverges):
    """Step, until the params are out of range, where they may be."""
    for grads in steps:
        assert opt.step(grads)
        found = all(np.isfinite(p).all() for p in params)
        if diverges and not found:
            return
        assert found
        for state in opt.state:
            for name, array in state.items():
                assert np.isfinite(array).all(), name


@each_row
@each_dtype
def test_any_three_finite_gradients_make_no_nan(row, dtype):
    takes_any_three(row, dtype, "alone")


@each_kind
@each_dtype
def test_nor_with_any_option(name, dtype):
    """What options do is done before and after the rule, whatever its numbers are."""
    row = Row(name, MORE.get(name, {}))
    for option in OPTIONS:
        if takes(name, option):
            takes_any_three(row, dtype, option)


def takes_any_three(row, dtype, option):
    """Elements side by side take every sequence of three, and then others."""
    count = len(SIGNED[dtype])
    triples = np.array([*itertools.product(SIGNED[dtype], repeat=3)], dtype)
    rng = np.random.default_rng(0)
    rounds = [triples, rng.permutation(triples)]
    shapes = [(count, count**2), (count**3,)]
    params = [ordinary(rng, shape, dtype) for shape in shapes]
    opt = optimizer(row, params, option, denormals="keep")
    stays_finite(
        opt,
        params,
        [
            [np.ascontiguousarray(g).reshape(shape) for shape in shapes]
            for g in np.concatenate(rounds, axis=1).T
        ],
        (row.name, option) in DIVERGE,
    )


@each_kind
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_finite_gradients_of_one_size_make_no_nan(name, data):
    """Where norms of whole arrays are of that size, too."""
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    option = data.draw(st.sampled_from([o for o in OPTIONS if takes(name, o)]))
    sizes = data.draw(st.lists(st.sampled_from(SIGNED[dtype]), min_size=2, max_size=8))
    params = [np.ones((2, 3), dtype), np.full(3, -0.5, dtype), np.array(2.0, dtype)]
    row = Row(name, MORE.get(name, {}))
    opt = optimizer(
        row, params, option, denormals=data.draw(st.sampled_from(["flush", "keep"]))
    )
    steps = [[np.full_like(p, size) for p in params] for size in sizes]
    if data.draw(st.booleans()):  # one element has none
        for grads in steps:
            grads[0][0, 1] = 0
    stays_finite(opt, params, steps, (name, option) in DIVERGE)


# Those whose step does not depend on the size of all gradients.  Adadelta is not among
# them, as its step underflows to 0: see src_c/rules/adadelta.h.
SCALE_FREE = ["AdEMAMix", "ADOPT", "AMSGrad", "AdaBelief", "Adafactor"]
SCALE_FREE += ["Adagrad", "Adam", "AdamW", "Adamax", "Adan", "FTRL", "LAMB", "LaProp"]
SCALE_FREE += ["Lion", "Muon", "NAdam", "NAdamW", "RMSprop", "Rprop", "SM3", "SignSGD"]
SCALE_FREE += ["Signum", "Yogi", "AdamWScheduleFree", "DAdaptAdam", "Prodigy"]


@pytest.mark.parametrize("name", SCALE_FREE)
@each_dtype
def test_the_largest_gradient_makes_a_step_of_ordinary_size(name, dtype):
    """As large as that of a gradient of 1e10."""
    kind = "Adam" if name == "AMSGrad" else name
    more = {"amsgrad": True} if name == "AMSGrad" else {}
    if name == "FTRL":
        more = {"beta": 0.0}
    moved = []
    for spike in (1e10, LARGEST[dtype]):
        p = np.ones((2, 3), dtype)
        opt = KINDS[kind](p, **{**MORE.get(kind, {}), "lr": 0.01, **more})
        for size in (1.0, spike):
            before = p.copy()
            assert opt.step(np.full_like(p, size))
        moved.append(abs(p - before).max())
    ordinary_step, found = moved
    assert 0 < found <= 1.01 * ordinary_step


def test_adam_goes_on_after_a_huge_gradient():
    p = np.ones(3, np.float32)
    opt = lrcore.Adam(p, skip_nonfinite=True)
    for size in (1.0, 1e20, 1.0):
        assert opt.step(np.full(3, size, np.float32))
    assert 1e-4 < 1 - p[0] < 1e-2


@each_row
@each_dtype
def test_a_gradient_that_is_not_finite_shows(row, dtype):
    """At once, and for ever; but for those that go by the sign of each gradient."""
    signs = row.name in ("Rprop", "SignSGD")
    for value in [np.nan] if signs else [np.inf, -np.inf, np.nan]:
        params = [np.ones((2, 3), dtype), np.ones(3, dtype)]
        opt = make(row, params)
        for t in range(4):
            grads = [np.full_like(p, 0.5) for p in params]
            if t == 1:
                grads[0][1, 1] = value
            assert opt.step(grads)
            assert np.isfinite(params[0][1, 1]) == (t < 1), value


# --- a learning rate of 0 -------------------------------------------------------------


@each_row
@each_dtype
def test_a_rate_of_0_moves_nothing(row, dtype):
    """From the first step on, which is where a warm-up begins."""
    params = [np.full((2, 3), 1.1, dtype), np.full(3, -0.3, dtype)]
    first = [p.copy() for p in params]
    none = {"weight_decay": 0.0, "decoupled_weight_decay": False, "l2": 0.0}
    none |= {"adam_weight_decay": 0.0} if row.name == "Muon" else {}
    none |= {"mechanic_decay": 0.0} if "mechanic" in row.kwargs else {}
    opt = make(row, params, lr=lambda t: 0.0 if t < 4 else row.kwargs["lr"], **none)
    for t in range(4):
        assert opt.step([np.full_like(p, (0, 3.0, -0.25, 2.0)[t]) for p in params])
        assert all_same(params, first)
    assert opt.step([np.ones_like(p) for p in params])
    assert all(np.isfinite(p).all() for p in params)
    assert not all_same(params, first)


@pytest.mark.parametrize("name", ["FTRL", "MADGRAD"])
@each_dtype
def test_a_rate_of_0_leaves_sums_as_they_are(name, dtype):
    """Dual averaging goes on from where it rested."""
    runs = []
    for rests in (False, True):
        p = np.array([1.0, -2.0, 3.0], dtype)
        opt = KINDS[name](p, lr=0.1, l2=0.01)
        for t in range(6):
            if rests and t == 3:
                before = [p.copy(), *(a.copy() for a in opt.state[0].values())]
                opt.lr = 0.0
                assert opt.step(np.full_like(p, 7.0))
                assert all_same([p, *opt.state[0].values()], before)
                opt.lr, opt.t = 0.1, 3
            assert opt.step(np.array([0.5, 1.0, -2.0 + t], dtype))
        runs.append(p)
    assert same_bits(*runs)


@each_dtype
@pytest.mark.parametrize(
    ("name", "own"), [("AdamW", {}), ("LAMB", {"max_trust": 10.0})]
)
def test_a_weight_decay_of_0_makes_no_nan_of_an_infinite_parameter(name, own, dtype):
    """LAMB adds it to the direction: 0 times infinity.

    Without a bound the norm of the params makes LAMB's ratio infinite.
    """
    p = np.array([np.inf, 1.0], dtype)
    opt = getattr(lrcore, name)(p, lr=0.1, weight_decay=0.0, **own)
    for _ in range(3):
        assert opt.step(np.ones(2, dtype))
    assert p[0] == np.inf
    assert np.isfinite(p[1])
    assert all(np.isfinite(a).all() for a in opt.state[0].values())


# --- the helpers ----------------------------------------------------------------------


@each_dtype
def test_averages_of_params_of_any_size(dtype):
    most = np.finfo(dtype).max
    p, a = np.array([most, -most, 1.0], dtype), np.array([-most, most, 3.0], dtype)
    reference.average(a, p, 0.5)
    assert np.isfinite(a).all()
    assert a[2] == 2


@each_dtype
def test_no_bit_changes_in_range(dtype):
    """Signs of zeros among them."""
    bounds = lrcore._shared.bounds
    rng = np.random.default_rng(0)
    x = np.concatenate([ordinary(rng, 1000, dtype), SIGNED[dtype][:10]]).astype(dtype)
    y = rng.permutation(x)
    assert same_bits(bounds.squarable(x), x)
    assert same_bits(bounds.saturated(x + y, y), x + y)
    assert same_bits(bounds.difference(x, y), x - y)
    assert same_bits(bounds.capped(x * x), x * x)
