"""Clipping in a step: by value, by norms, adaptive; of numbers out of range."""

import json
import math
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from cases import cases
from composed import clipped, unit_norms
from helpers import ISAS, LENGTHS, each_dtype, ordinary, same_bits, wild

import lrcore

pytestmark = pytest.mark.isa


def left_of(p, g, **options):
    """What is left of a gradient: what one step of SGD at lr 1 takes from p."""
    twin = p.copy("K")
    assert lrcore.SGD(twin, lr=1.0, **options).step(g)
    return p - twin


# --- by value -------------------------------------------------------------------------


@pytest.mark.usefixtures("restore")
@each_dtype
@pytest.mark.parametrize("values", [ordinary, wild])
@pytest.mark.parametrize("most", [2.0, 0.1])
def test_clip_value_is_numpys_clip(dtype, values, most):
    """To the bit, with its bound rounded to the dtype; NaN stays."""
    real = np.dtype(dtype).type
    for n in LENGTHS:
        g = values(np.random.default_rng(n), n, dtype)
        wanted = np.clip(g, -real(most), real(most))
        for isa in ISAS:
            lrcore.set_isa(isa)
            p = np.zeros(n, dtype)
            lrcore.SGD(p, lr=1.0, clip_value=most, denormals="keep").step(g)
            np.testing.assert_array_equal(-p, wanted, strict=True)


@each_dtype
def test_clip_value_comes_after_grad_scale(dtype):
    """To one rounding of the product and one of the scale."""
    g = ordinary(np.random.default_rng(0), 10_007, dtype)
    p = np.zeros_like(g)
    lrcore.SGD(p, lr=1.0, grad_scale=0.3, clip_value=1.5).step(g)
    wanted = np.clip(np.longdouble(0.3) * g, -1.5, 1.5)
    assert (abs(-p - wanted) <= np.finfo(dtype).eps * abs(wanted)).all()
    assert 0.1 < (abs(p) == 1.5).mean() < 0.9


# --- by norms -------------------------------------------------------------------------


def test_clip_tensor_norm_is_of_each_array():
    p = [np.zeros(2), np.zeros((1, 2)), np.zeros(()), np.zeros(1)]
    g = [np.array([3.0, 4.0]), np.array([[0.3, 0.4]]), np.array(-5.0), np.zeros(1)]
    lrcore.SGD(p, lr=1.0, clip_tensor_norm=1.0).step(g)
    wanted = [[0.6, 0.8], [[0.3, 0.4]], -1.0, [0.0]]
    for ours, theirs in zip(p, wanted, strict=True):
        np.testing.assert_allclose(-ours, theirs, rtol=4e-16)


def test_clip_norm_is_of_all_groups():
    p = [np.zeros(1), np.zeros((1, 1)), np.zeros(())]
    opt = lrcore.SGD([{"params": p[:1]}, {"params": p[1:], "lr": 2.0}], lr=1.0,
                     clip_norm=0.7)  # fmt: skip
    opt.step([[np.array([2.0])], [np.array([[3.0]]), np.array(6.0)]])
    assert -p[0][0] == pytest.approx(0.2, rel=4e-16)
    assert -p[1][0, 0] == pytest.approx(0.6, rel=4e-16)
    assert -p[2] == pytest.approx(1.2, rel=4e-16)


def test_clip_norm_is_settable():
    p = np.zeros(2)
    opt = lrcore.SGD(p, lr=1.0)
    assert opt.clip_norm is None
    for most, wanted in (
        (None, 5.0),
        (2.5, 2.5),
        (lambda t: 0.5 * t, 1.0),
        (None, 5.0),
    ):
        opt.clip_norm = most
        before = p.copy()
        opt.step(np.array([3.0, 4.0]))
        assert np.hypot(*(p - before)) == pytest.approx(wanted, rel=1e-15)


@each_dtype
def test_what_is_within_its_bounds_is_left_to_the_bit(dtype):
    """Also at the bound itself, and where there is nothing."""
    p = np.ones((2, 2), dtype)
    within = {"clip_value": 4.0, "clip_tensor_norm": 5.0, "clip_norm": 5.0}
    within |= {"agc": 5.0, "agc_axis": 0, "agc_eps": 1.0}
    for g in (np.array([[3, 0], [-4, 0]], dtype), np.zeros((2, 2), dtype)):
        got, wanted = p.copy(), p.copy()
        lrcore.SGD(got, lr=0.1, **within).step(g)
        lrcore.SGD(wanted, lr=0.1).step(g)
        assert same_bits(got, wanted)


@each_dtype
@pytest.mark.parametrize("options", [
    {"clip_norm": 1e-3}, {"clip_tensor_norm": 1e-3},
    {"agc": 1e-3, "agc_axis": 0, "agc_eps": 1.0},
])  # fmt: skip
def test_norms_of_a_million_equal_elements(dtype, options):
    """Which a sum in float32 is off by a thousandth of: here by a rounding or two."""
    g = np.full(1_000_003, 0.1, dtype)
    p = np.zeros_like(g)
    lrcore.SGD(p, lr=1.0, **options).step(g)
    wanted = 1e-3 / math.sqrt(g.size)
    error = abs(-p.astype(float) / wanted - 1).max()
    # In float64 of the sum as well, in which 1e6 / 32 additions follow each other.
    assert error <= (2.0**-23 if dtype == "float32" else 1e-12)


# --- adaptive -------------------------------------------------------------------------

AXES = {
    (5, 4): [0, 1, (0,), (1,), (0, 1), -1],
    (3, 2, 4): [0, 1, 2, (0, 1), (1, 2), (0, 1, 2)],
    (2, 3, 2, 2): [(1, 2, 3), (0, 1, 2), (1, 2), 3],
    (3, 2051): [0, 1],
    (2051, 3): [0, 1],
    (4, 65, 33): [0, 1, 2, (0, 1), (1, 2)],
    (7,): [0, (1, 2)],
    (2050,): [0],
    (): [0],
}


@each_dtype
@cases("order", ["C", "F"])
@cases("shape, axes", [(s, a) for s in AXES for a in AXES[s]])
def test_agc_is_by_units(shape, axes, dtype, order):
    """Brock et al. 2021, equation 3.  The lr is so large that p itself is lost."""
    rng = np.random.default_rng(0)
    p, g = ordinary(rng, shape, dtype), ordinary(rng, shape, dtype)
    sizes = np.exp2(rng.integers(-6, 2, unit_norms(g, axes).shape))
    p = np.array(p * sizes, dtype, order=order)
    g = np.array(g * sizes**2, dtype, order=order)
    options = {"agc": 0.3, "agc_axis": axes, "agc_eps": 0.3}
    twin = p.copy("K")
    lrcore.SGD(twin, lr=2.0**100, **options).step(g)
    wanted = clipped(p.astype(np.float64), g.astype(np.float64), **options)
    # Roundings of the factor and of the product; in float64 those of two norms as well,
    # whose sums of up to 2,145 squares are in another order.
    rel = np.finfo(dtype).eps if dtype == "float32" else 2e-15
    np.testing.assert_allclose(-twin / 2.0**100, wanted, rtol=rel)
    if sizes.size > 4:
        assert 0 < (abs(wanted) < abs(g)).mean() < 1


def test_agc_goes_by_the_params_before_the_step_and_by_agc_eps():
    p = np.array([[3.0, 4.0], [0.0, 0.0]])
    g = np.array([[30.0, 40.0], [30.0, 40.0]])
    got = left_of(p, g, agc=0.5, agc_axis=1, agc_eps=0.25, weight_decay=0.0)
    np.testing.assert_allclose(got, [[1.5, 2.0], [0.075, 0.1]], rtol=1e-15)
    got = left_of(p, g, agc=0.5, agc_axis=1)
    np.testing.assert_allclose(got[1], [3e-4, 4e-4], rtol=1e-12)


@pytest.mark.parametrize(
    "axes", [(0, 2), (0, -1), 3, -4, (3, 4), (1, 1), "0", 0.0, (), (0.5,), True]
)
def test_axes_that_are_none_are_refused_by_name(axes):
    with pytest.raises((TypeError, ValueError), match=r"^agc_axis\b"):
        lrcore.SGD([np.ones(3), np.ones((2, 3, 4))], agc=0.1, agc_axis=axes)


def test_axes_that_an_array_lacks_are_left_out():
    """So that the same will do for matrices and for filters."""
    p, g = np.ones((2, 3)), 10 * np.ones((2, 3))
    many, one = (left_of(p, g, agc=0.1, agc_axis=axes) for axes in ((1, 2, 3), 1))
    assert same_bits(many, one)
    assert (many < 1).all()


def test_agc_needs_an_axis():
    for make in (
        lambda: lrcore.Adam(np.ones((2, 2)), agc=0.1),
        lambda: lrcore.Adam([{"params": np.ones((2, 2)), "agc": 0.1}]),
    ):
        with pytest.raises(ValueError, match="agc_axis"):
            make()
    opt = lrcore.Adam(np.ones((2, 2)))
    with pytest.raises(ValueError, match="agc_axis"):
        opt.param_groups[0]["agc"] = 0.1
    assert opt.param_groups[0]["agc"] is None


# --- what other libraries make of it --------------------------------------------------

with np.load(Path(__file__).parent / "golden" / "clip.npz") as file:
    GOLDEN = dict(file)
ABOUT = json.loads(str(GOLDEN["about"]))
each_magnitude = pytest.mark.parametrize("magnitude", range(len(GOLDEN["grads"])))


def arrays(row):
    """The arrays whose elements are in a row."""
    shapes = [tuple(shape) for shape in ABOUT["shapes"]]
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    parts = np.split(row, ends[:-1])
    return [part.reshape(s).copy() for part, s in zip(parts, shapes, strict=True)]


# Their sums of squares are in another order, and there are five roundings beside.
REL = 2e-15


@each_magnitude
@pytest.mark.parametrize("k", range(len(ABOUT["factors"])))
@pytest.mark.parametrize("library", ["timm", "optax"])
def test_agc_is_that_of(library, k, magnitude):
    """timm: of all axes but the first; optax: of all but the last."""
    params, grads = arrays(GOLDEN["params"]), arrays(GOLDEN["grads"][magnitude])
    for p, g, wanted in zip(
        params, grads, arrays(GOLDEN[f"{library}_agc"][magnitude, k]), strict=True
    ):
        axes = tuple(range(p.ndim))
        axes = axes[1:] if library == "timm" else axes[:-1]
        options = {"agc": ABOUT["factors"][k], "agc_axis": axes or 0}
        zeros = np.zeros_like(g)
        twin = p.copy()
        opt = lrcore.SGD(twin, lr=2.0**100, agc_eps=ABOUT["eps"], **options)
        assert opt.step(g)
        got = np.where(g == 0, zeros, -twin / 2.0**100)
        np.testing.assert_allclose(got, wanted, rtol=REL)


@each_magnitude
@pytest.mark.parametrize("k", range(len(ABOUT["most"])))
@pytest.mark.parametrize(("library", "eps"), [("torch", 1e-6), ("optax", 0.0)])
def test_norms_are_clipped_as_by(library, eps, k, magnitude):
    """In the step, and by themselves."""
    grads = arrays(GOLDEN["grads"][magnitude])
    wanted = arrays(GOLDEN[f"{library}_norm"][magnitude, k])
    most = ABOUT["most"][k]
    params = [np.zeros_like(g) for g in grads]
    lrcore.SGD(params, lr=1.0, clip_norm=most, clip_eps=eps).step(grads)
    before = lrcore.clip_by_global_norm(grads, most, eps=eps)
    assert before == pytest.approx(GOLDEN["norm"][magnitude], rel=REL)
    for p, g, w in zip(params, grads, wanted, strict=True):
        np.testing.assert_allclose(-p, w, rtol=REL)
        np.testing.assert_allclose(g, w, rtol=REL)


# --- numbers out of range -------------------------------------------------------------

# Gradients whose squares are out of a double's range, and what they are clipped to by a
# norm of 1; in float32 what is multiplied by the factor alone is not in range.
OUT_OF_RANGE = [
    ([3e200, 4e200], [0.6, 0.8]),
    ([3e-200, 4e-200], [3e-200, 4e-200]),
    ([1.7e308, 0.0], [1.0, 0.0]),
    ([1.7e308] * 4, [0.5] * 4),
    ([1e200, 1.0, 1e-200], [1.0, 1e-200, 0.0]),
]


@pytest.mark.parametrize(("given", "wanted"), OUT_OF_RANGE)
def test_squares_out_of_range_are_taken_once_more(given, wanted):
    """By itself, and in a step by each of the norms."""
    g = np.array(given)
    assert lrcore.clip_by_global_norm(g, 1.0) == pytest.approx(math.hypot(*given))
    np.testing.assert_allclose(g, wanted, rtol=1e-14)
    p = np.zeros((1, len(given)))
    for options in (
        {"clip_norm": 1.0},
        {"clip_tensor_norm": 1.0},
        {"agc": 1.0, "agc_axis": 1, "agc_eps": 1.0},
    ):
        left = left_of(p, np.array([given]), **options)
        np.testing.assert_allclose(left, [wanted], rtol=1e-12)


@pytest.mark.parametrize("axis", [0, 1])
def test_units_out_of_range_are_clipped_each_by_itself(axis):
    """Columns, and rows: huge, tiny and ordinary ones beside each other."""
    size = np.array([1e200, 1e-200, 1.0, 1.7e308, 0.0])
    g = np.outer(np.ones(3), size) if axis == 0 else np.outer(size, np.ones(3))
    left = left_of(np.zeros_like(g), g, agc=0.5, agc_axis=axis, agc_eps=1.0)
    wanted = [min(x, 0.5 / math.sqrt(3)) for x in size]
    np.testing.assert_allclose(left if axis == 0 else left.T, [wanted] * 3, rtol=1e-12)


@each_dtype
@pytest.mark.parametrize(
    "options",
    [
        {"clip_norm": 1.0},
        {"clip_tensor_norm": 1.0},
        {"agc": 1.0, "agc_axis": 0},
        {"clip_value": 1.0},
        {"grad_scale": 1e-39, "clip_value": 1e-41},
        {"grad_scale": 1e-39},
        {"grad_scale": 2.0**-127, "clip_norm": 1e-3},
    ],
)
def test_the_largest_gradient_is_clipped_to_a_finite_one(options, dtype):
    """Whatever the factor: where it is no normal number of the type, it is two."""
    most = float(np.finfo(dtype).max)
    g = np.array([most, -most, 1.0], dtype)
    scale = options.get("grad_scale", 1.0)
    wide = [math.ldexp(float(x), -64) * math.ldexp(scale, 64) for x in g]
    if "clip_value" in options:
        bound = options["clip_value"]
        wide = [max(-bound, min(x, bound)) for x in wide]
    unit = [x / max(wide) for x in wide]
    for name in ("clip_norm", "clip_tensor_norm", "agc"):
        if options.get(name, math.inf) < max(wide):
            wide = [x / math.hypot(*unit) * options[name] for x in unit]
    left = left_of(np.zeros(3, dtype), g, agc_eps=1.0, denormals="keep", **options)
    np.testing.assert_allclose(left.astype(float), wide, rtol=1e-6, atol=1e-44)
    assert left[0] != 0


@each_dtype
def test_a_gradient_that_its_scale_makes_infinite_is_skipped(dtype):
    """skip_nonfinite looks at what the rule is given."""
    big = np.finfo(dtype).max / 1e5
    for g, taken in (([big, 1.0], False), ([big / 1e6, 1.0], True)):
        p = np.zeros(2, dtype)
        opt = lrcore.SGD(
            p, lr=1.0, grad_scale=1e10, skip_nonfinite=True, telemetry=True
        )
        assert opt.step(np.array(g, dtype)) is taken
        assert opt.report.nonfinite == (0 if taken else 1)
        assert np.isfinite(p).all()
        assert p.any() == taken


def test_a_loss_scale_beyond_the_normal_range_still_steps():
    p, scaler = np.zeros(1, np.float32), lrcore.LossScaler(2.0**126, growth_interval=1)
    opt = lrcore.SGD(p, lr=1.0)
    for _ in range(2):
        before = p.copy()
        assert scaler.step(opt, np.array([1e-3 * scaler.scale], np.float32))
        assert before - p == pytest.approx(1e-3)


@pytest.mark.parametrize("value", [nan, inf])
def test_a_norm_that_is_not_finite_clips_nothing(value):
    """In a step that is not skipped: the other gradients are as they were."""
    g = [np.array([3.0, value]), np.array([3.0, 4.0])]
    for options in ({"clip_norm": 1.0}, {"clip_tensor_norm": 9.0}):
        p = [np.zeros(2), np.zeros(2)]
        lrcore.SGD(p, lr=1.0, **options).step(g)
        np.testing.assert_array_equal([-p[0], -p[1]], g)
