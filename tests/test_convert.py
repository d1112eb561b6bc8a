"""`convert_grads`: gradients of another dtype or memory order are converted."""

import numpy as np
import pytest
from cases import cases
from composed import gradients, optimizer, split, weights
from helpers import (
    KINDS,
    all_same,
    bits_of,
    each_dtype,
    each_kind,
    same_states,
    snapshot,
)

import lrcore

pytestmark = pytest.mark.isa


def other(dtype):
    return np.float64 if dtype == "float32" else np.float32


def misaligned(g):
    raw = np.zeros(g.nbytes + 1, np.uint8)[1:].view(g.dtype).reshape(g.shape)
    raw[...] = g
    assert not raw.flags.aligned
    return raw


def strided(g):
    wide = np.full((*g.shape, 2), 7, g.dtype)
    wide[..., 0] = g
    return wide[..., 0]


def backward(g):
    """The same numbers with negative strides."""
    return g[(slice(None, None, -1),) * g.ndim].copy()[
        (slice(None, None, -1),) * g.ndim
    ]


class Sub(np.ndarray):
    """A subclass of ndarray."""


WAYS = {
    "other dtype": lambda g: g.astype(other(str(g.dtype))),
    "float16": lambda g: g.astype(np.float16),
    "long double": lambda g: g.astype(np.longdouble),
    "int": lambda g: g.astype(np.int64),
    "uint8": lambda g: abs(g).astype(np.uint8),
    "other order": lambda g: np.array(g, order="F"),
    "other byte order": lambda g: g.astype(g.dtype.newbyteorder()),
    "misaligned": misaligned,
    "strided": strided,
    "backward": backward,
    "read-only": lambda g: strided(g).view(),
    "subclass": lambda g: g.astype(other(str(g.dtype))).view(Sub),
}
each_way = pytest.mark.parametrize("way", WAYS)
STRUCTURED = np.zeros(3, [("x", "f4")])
REFUSED = {
    "bool": (np.ones(3, bool), "expected dtype float32 or float64, found bool"),
    "complex": (np.ones(3, complex), "found complex128"),
    "object": (np.array([1.0, 2.0, 3.0], object), "found object"),
    "strings": (np.array(["1", "2", "3"]), "found str"),
    "times": (np.zeros(3, "m8[s]"), "found timedelta64"),
    "structured": (STRUCTURED, "expected dtype float32 or float64"),
    "shape": (np.ones(4), "expected dtype float32"),
    "0-d": (np.float64(1), "found (numpy.)?float64"),
    "list": ([1.0, 2.0, 3.0], "expected a numpy.ndarray, found list"),
    "mask": (np.ma.masked_array([1.0, 2.0, 3.0]), "found a masked array"),
}


@each_dtype
@each_way
def test_a_converted_gradient_steps_as_its_copy_does(way, dtype):
    params, twins = weights(dtype), weights(dtype)
    opt = optimizer("Adam", params, lr=0.1, convert_grads=True)
    twin = optimizer("Adam", twins, lr=0.1)
    for t in range(3):
        given = [np.asarray(WAYS[way](8 * g)) for g in gradients(params, t)]
        before = snapshot(given)
        assert opt.step(split(given))
        assert snapshot(given) == before
        assert twin.step(split([np.array(g, dtype, order="C") for g in given]))
    assert all_same(params, twins)
    assert same_states(opt.state, twin.state)


@each_kind
@cases("options", [{}, {"zero_grads": True, "clip_norm": 1.0}])
def test_every_optimizer_takes_them_beside_others(name, options):
    params, twins = weights("float32"), weights("float32")
    opt = optimizer(name, params, lr=0.05, convert_grads=True, **options)
    twin = optimizer(name, twins, lr=0.05, **options)
    for t in range(3):
        grads = gradients(params, t)
        mixed = [grads[0].astype(float), None, grads[2].copy(), strided(grads[3])]
        assert opt.step(split(mixed))
        assert twin.step(split([grads[0], None, *grads[2:]]))
        zeroed = [not g.any() for g in mixed if g is not None]
        assert zeroed == [bool(options)] * 3
    assert bits_of(opt, params) == bits_of(twin, twins)


@pytest.mark.parametrize("zeroes", [False, True])
def test_gathering_and_skipping(zeroes):
    p, twin = np.zeros(3, np.float32), np.zeros(3, np.float32)
    own = {"lr": 1.0, "accumulate": 2, "skip_nonfinite": True, "zero_grads": zeroes}
    one = lrcore.SGD(p, convert_grads=True, **own)
    two = lrcore.SGD(twin, **own)
    for value in (1.0, 3.0, 1e39, 1.0, 2.0):  # the second update is skipped
        g = np.full(3, value)
        with np.errstate(over="ignore"):
            narrow = g.astype(np.float32)
        assert one.step(g) == two.step(narrow)
        assert g.any() != zeroes
    assert one.flush()
    assert two.flush()
    assert (p.tolist(), one.t) == (twin.tolist(), two.t)


def test_what_is_too_large_becomes_infinite_whatever_numpy_does_then():
    p = np.zeros(2, np.float32)
    opt = lrcore.SGD(p, skip_nonfinite=True, telemetry=True, convert_grads=True)
    with np.errstate(all="raise"):
        assert not opt.step(np.array([1e39, 1e-50]))
    assert opt.report.nonfinite == 1
    assert not p.any()


@pytest.mark.parametrize("name", [k for k, kind in KINDS.items() if not kind._gauge])
def test_step_one_converts_too(name):
    params, twins = weights("float32"), weights("float32")
    opt = optimizer(name, params, lr=0.05, convert_grads=True, zero_grads=True)
    twin = optimizer(name, twins, lr=0.05)
    for t in range(2):
        grads = gradients(params, t)
        wide = [g.astype(float) for g in grads]
        for k in (1, 3, 0, 2):
            assert opt.step_one(k, wide[k])
            assert not wide[k].any()
            assert twin.step_one(k, grads[k])
    assert all_same(params, twins)
    assert same_states(opt.state, twin.state)


@pytest.mark.parametrize("g", [np.float32(2), np.float16(2), np.int8(2), np.array(2)])
def test_a_number_for_an_array_without_axes(g):
    p = np.zeros(())
    opt = lrcore.SGD(p, lr=1.0, convert_grads=True)
    assert opt.step(g)
    assert opt.step_one(0, g)
    assert p[()] == -4


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("converts", [False, True])
def test_what_is_no_number_is_refused(kind, converts):
    g, found = REFUSED[kind]
    params = [np.zeros(2, np.float32), np.zeros(3, np.float32)]
    opt = lrcore.Adam(params, convert_grads=converts)
    before = bits_of(opt, params)
    first = np.ones(2) if converts else np.ones(2, np.float32)
    for call in (lambda: opt.step([first, g]), lambda: opt.step_one(1, g)):
        with pytest.raises((TypeError, ValueError), match=found) as raised:
            call()
        assert "convert_grads" not in str(raised.value)
        assert str(raised.value).startswith(("grads[1]: ", "grad: "))
    assert bits_of(opt, params) == before
    assert opt.step([first, np.ones(3, np.float32)])


@each_way
def test_the_error_without_it_names_it(way):
    params = [np.zeros((2, 3), np.float32)]
    opt = lrcore.SGD(params)
    g = WAYS[way](np.ones((2, 3), np.float32))
    for call in (lambda: opt.step([g]), lambda: opt.step_one(0, g)):
        with pytest.raises(
            (TypeError, ValueError), match=r"or set convert_grads=True$"
        ):
            call()
    opt.convert_grads = True
    assert opt.step([g])
    opt.convert_grads = False
    with pytest.raises((TypeError, ValueError), match=r"or set convert_grads=True$"):
        opt.step([g])


def test_a_kernel_and_clipping_do_not_name_it():
    p, g = np.zeros(3, np.float32), np.ones(3)
    for call in (
        lambda: lrcore.kernels.sgd(p, g, t=1, lr=0.1),
        lambda: lrcore.clip_by_value([g.astype(int)], 1.0),
    ):
        with pytest.raises(TypeError, match="expected dtype") as raised:
            call()
        assert "convert_grads" not in str(raised.value)


def test_params_are_not_converted():
    with pytest.raises(TypeError, match="found int64"):
        lrcore.SGD(np.zeros(3, int), convert_grads=True)


def test_a_parameter_that_has_another_shape_now():
    p = np.zeros(4, np.float32)
    opt = lrcore.SGD(p, lr=1.0, convert_grads=True)
    opt.step(np.ones(4))
    p.resize((2, 2), refcheck=False)  # the same memory, as it has as many elements
    assert opt.step(np.ones((2, 2)))
    assert p.tolist() == [[-2, -2], [-2, -2]]


def test_a_gradient_that_cannot_be_zeroed_is_refused():
    p = np.zeros((2, 2))
    opt = lrcore.SGD(p, zero_grads=True, convert_grads=True)
    frozen = np.ones((2, 2), np.float32)
    frozen.flags.writeable = False
    for g, found in [
        (frozen, "found a read-only array"),
        (p.T, "found to share memory with params"),
        (p[::-1], "found to share memory with params"),
    ]:
        for call in (lambda g=g: opt.step(g), lambda g=g: opt.step_one(0, g)):
            with pytest.raises(ValueError, match=found):
                call()
    assert opt.t == 0
    opt.zero_grads = False
    p[0, 1] = 1
    assert opt.step(p.T)  # read before p changes
    assert p.tolist() == [[0, 1], [-0.001, 0]]


def test_the_gradient_that_does_not_fit_is_named():
    opt = lrcore.SGD([np.zeros(()), np.zeros(3)])
    with pytest.raises(ValueError, match=r"^grads\[1\]: expected shape"):
        opt.step([np.float64(1), np.zeros(4)])
