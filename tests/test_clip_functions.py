"""Clipping of gradients by themselves, and their norms."""

import math
from math import inf, nan

import numpy as np
import pytest
from composed import norm
from helpers import (
    LENGTHS,
    configurations,
    each_dtype,
    ordinary,
    placed,
    same_bits,
    snapshot,
)

import lrcore

pytestmark = pytest.mark.isa


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
