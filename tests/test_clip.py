"""Clipping: by value, by norms, adaptive; in a step, and of gradients by themselves."""

import json
import math
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from composed import clipped, norm, unit_norms
from helpers import (
    ISAS,
    LENGTHS,
    configurations,
    each_dtype,
    ordinary,
    placed,
    same_bits,
    snapshot,
    wild,
)

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
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("shape", "axes"), [(s, a) for s in AXES for a in AXES[s]])
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


# --- by themselves --------------------------------------------------------------------


def nested(dtype="float64"):
    rng = np.random.default_rng(0)
    return {
        "W": ordinary(rng, (4, 3), dtype),
        "layers": [
            np.asfortranarray(ordinary(rng, (3, 2), dtype)),
            (ordinary(rng, (), "float64"), {"z": ordinary(rng, 70, "float32")}),
        ],
        "none": np.zeros((0, 3), dtype),
    }


def leaves(grads):
    first, (number, last) = grads["layers"]
    return [grads["W"], first, number, last["z"], grads["none"]]


@pytest.mark.usefixtures("restore")
def test_the_norm_of_ten_million():
    """Of float32, whose sum in float32 would be 2.5e-4 off."""
    g = np.full(10_000_000, 0.1, np.float32)
    g[::7] *= np.float32(-3.7)
    g[-1] = 1e3
    held = g.sum()
    found = set()
    for threads in (1, 2, 7):
        lrcore.set_num_threads(threads)
        found.add(lrcore.global_norm(g))
    (only,) = found
    assert only == pytest.approx(norm([g]), rel=1e-12)
    assert g.sum() == held


@pytest.mark.usefixtures("restore")
@each_dtype
@pytest.mark.parametrize("n", LENGTHS)
def test_norms_are_exact_to_1e_12_and_the_same_everywhere(n, dtype):
    grads = [
        np.zeros(0, dtype),
        *(placed(n, dtype, offset) for offset in (0, 1, 5)),
        np.ones((), dtype),
    ]
    rng = np.random.default_rng(n)
    for g in grads[1:]:
        g[...] = ordinary(rng, g.shape, dtype)
    wanted = norm(grads)
    found = set()
    for isa, threads in configurations():
        lrcore.set_isa(isa)
        lrcore.set_num_threads(threads)
        found.add(lrcore.global_norm(grads))
    (only,) = found
    assert type(only) is float
    assert only == pytest.approx(wanted, rel=1e-12)


def test_norms_of_what_is_very_small_and_very_large():
    """float32: squares are of float64, and subnormal gradients count."""
    for value in (1e-45, 1e-40, 1e-38, 3e38):
        g = np.full(1000, value, np.float32)
        assert lrcore.global_norm([g]) == pytest.approx(norm([g]), rel=1e-12)
    assert (np.full(9, 1e-40, np.float32) > 0).all(), "the caller's own are as before"


@each_dtype
def test_a_norm_is_clipped_in_any_structure(dtype):
    grads, wanted = nested(dtype), nested(dtype)
    kept = [*leaves(grads)]
    before = norm(leaves(grads))
    assert lrcore.global_norm(grads) == pytest.approx(before, rel=1e-12)
    assert lrcore.clip_by_global_norm(grads, before / 4) == pytest.approx(
        before, rel=1e-12
    )
    for g, old, kept_array in zip(leaves(grads), leaves(wanted), kept, strict=True):
        assert g is kept_array
        # Roundings of the factor and of the product.
        np.testing.assert_allclose(g, old / 4, rtol=np.finfo(g.dtype).eps)
    assert lrcore.clip_by_global_norm(grads, 1.0, eps=1.0) == pytest.approx(before / 4)
    quarter = before / 4
    for g, old in zip(leaves(grads), leaves(wanted), strict=True):
        by = 1 / (quarter + 1) / 4
        np.testing.assert_allclose(g, old * by, rtol=2 * np.finfo(g.dtype).eps)


@each_dtype
def test_what_is_within_the_norm_is_left_to_the_bit(dtype):
    g = np.array([3, 4], dtype)
    for most in (5.0, 6, 1e300):
        assert lrcore.clip_by_global_norm([g], most) == 5.0
        assert g.tolist() == [3, 4]
    zeros = np.zeros(3, dtype)
    assert lrcore.clip_by_global_norm([zeros], 1.0) == 0.0
    assert zeros.tolist() == [0, 0, 0]


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_norm_that_is_not_finite_leaves_gradients_alone(value):
    grads = {"a": np.array([1.0, value]), "b": np.array([3, 4], np.float32)}
    held = snapshot(grads.values())
    found = lrcore.clip_by_global_norm(grads, 1.0)
    assert math.isnan(found) if math.isnan(value) else found == inf
    assert snapshot(grads.values()) == held


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


@each_dtype
def test_values_are_clipped_in_any_structure(dtype):
    grads, wanted = nested(dtype), nested(dtype)
    leaves(grads)[0][1, 1] = leaves(wanted)[0][1, 1] = nan
    assert lrcore.clip_by_value(grads, 1.7) is None
    for g, old in zip(leaves(grads), leaves(wanted), strict=True):
        most = g.dtype.type(1.7)
        assert same_bits(g, np.asarray(np.clip(old, -most, most)))


@pytest.mark.usefixtures("restore")
@each_dtype
def test_what_is_clipped_is_the_same_everywhere(dtype):
    """For all numbers of threads, and all instruction sets."""
    rng = np.random.default_rng(0)
    given = [ordinary(rng, n, dtype) for n in (100_003, 17, 131_072)]
    by_norm, by_value = [], []
    for isa, threads in configurations():
        lrcore.set_isa(isa)
        lrcore.set_num_threads(threads)
        grads = [g.copy() for g in given]
        before = lrcore.clip_by_global_norm(grads, 0.1)
        by_norm.append((before, snapshot(grads)))
        grads = [g.copy() for g in given]
        lrcore.clip_by_value(grads, 0.3)
        by_value.append(snapshot(grads))
    assert all(other == by_norm[0] for other in by_norm)
    assert all(other == by_value[0] for other in by_value)


FUNCTIONS = {
    "global_norm": (),
    "clip_by_global_norm": (1.0,),
    "clip_by_value": (0.1,),
}
REFUSED = {
    "list": (lambda g: "text", "found str"),
    "number": (lambda g: 1.0, "found float"),
    "float16": (lambda g: g.astype(np.float16), "found float16"),
    "int": (lambda g: g.astype(np.int64), "found int64"),
    "masked": (lambda g: np.ma.masked_array(g), "masked array"),
    "strided": (lambda g: np.repeat(g, 2)[::2], "non-contiguous"),
    "byte order": (lambda g: g.astype(g.dtype.newbyteorder()), "foreign byte order"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_bad_array_is_refused_before_anything_is_written(function, case):
    spoil, text = REFUSED[case]
    grads = {"a": np.full(5, 9.0), "w": [np.full(5, 9.0)]}
    grads["w"].append(spoil(np.full(5, 9.0)))
    with pytest.raises((TypeError, ValueError), match=rf"^grads\['w'\]\[1\]: .*{text}"):
        getattr(lrcore, function)(grads, *FUNCTIONS[function])
    assert (grads["a"] == 9).all()
    assert (grads["w"][0] == 9).all()
    with pytest.raises((TypeError, ValueError), match=rf"^grads: .*{text}"):
        getattr(lrcore, function)(spoil(np.full(5, 9.0)), *FUNCTIONS[function])


@pytest.mark.parametrize("function", ["clip_by_global_norm", "clip_by_value"])
def test_what_cannot_be_written_is_refused(function):
    a, b = np.full(5, 9.0), np.full(5, 9.0)
    b.flags.writeable = False
    with pytest.raises(ValueError, match=r"^grads\[1\]: .*read-only"):
        getattr(lrcore, function)([a, b], *FUNCTIONS[function])
    assert (a == 9).all()
    assert lrcore.global_norm([a, b]) == pytest.approx(9 * math.sqrt(10))


@pytest.mark.parametrize("function", ["clip_by_global_norm", "clip_by_value"])
def test_an_array_that_stands_there_twice_is_refused(function):
    """As it would be scaled twice."""
    buffer = np.full(9, 9.0)
    with pytest.raises(ValueError, match=r"^grads\[[01]\]: .*share memory with grads"):
        getattr(lrcore, function)([buffer[:5], buffer[4:]], *FUNCTIONS[function])
    assert (buffer == 9).all()


@pytest.mark.parametrize("value", [nan, inf, 0.0, -1.0, "1", None, [1.0]])
@pytest.mark.parametrize(
    ("function", "argument"),
    [("clip_by_global_norm", "max_norm"), ("clip_by_value", "clip_value")],
)
def test_a_bad_bound_is_refused_by_name(function, argument, value):
    g = np.ones(3)
    with pytest.raises((TypeError, ValueError), match=rf"^{argument}: expected"):
        getattr(lrcore, function)([g], value)
    assert (g == 1).all()


def test_a_structure_that_contains_itself_is_refused():
    grads = [np.ones(2)]
    grads.append(grads)
    for function, more in FUNCTIONS.items():
        with pytest.raises(ValueError, match="contains itself"):
            getattr(lrcore, function)(grads, *more)


@pytest.mark.usefixtures("restore")
def test_the_callers_subnormals_are_left_to_the_caller():
    """After each of them, on any number of threads, and after what is refused."""
    tiny = np.full(9, np.finfo(np.float32).tiny)
    for threads in (1, 2):
        lrcore.set_num_threads(threads)
        for function, more in FUNCTIONS.items():
            getattr(lrcore, function)([np.ones(100_000, np.float32)], *more)
            assert (tiny / 4 * 4 == tiny).all(), function
            with pytest.raises(TypeError, match="found str"):
                getattr(lrcore, function)([np.ones(9), "text"], *more)
            assert (tiny / 4 * 4 == tiny).all(), function


@pytest.mark.parametrize("function", FUNCTIONS)
def test_none_is_no_array(function):
    with_hole, without = {"W": np.full(3, 2.0), "b": None}, {"W": np.full(3, 2.0)}
    more = FUNCTIONS[function]
    assert getattr(lrcore, function)(with_hole, *more) == getattr(lrcore, function)(
        without, *more
    )
    assert with_hole["W"].tolist() == without["W"].tolist()
