"""Subclasses of ndarray whose attributes lie: what NumPy holds is used instead."""

from functools import partial

import numpy as np
import pytest
from helpers import KINDS, LOOKAHEAD, REFUSED
from wrong import f4, message

import lrcore
from lrcore import kernels

SAID = ("dtype", "flags", "shape", "strides", "nbytes", "size", "ndim", "itemsize")


def refuse(*args, **kwargs):
    raise AssertionError("a method of the subclass was called")


def lying(a, like):
    """A view of an array with the attributes of another one, whose methods fail."""

    def said(name):
        return property(lambda _: getattr(like, name))

    own = {name: said(name) for name in (*SAID, "__array_interface__")}
    methods = ("__array__", "__array_ufunc__", "__array_function__", "copy", "view",
               "astype", "__getitem__", "__setitem__", "tobytes")  # fmt: skip
    own |= dict.fromkeys(methods, refuse)
    return np.ndarray.view(a, type("Liar", (np.ndarray,), own))


def true(a):
    return np.ndarray.view(a, np.ndarray)


def fixed(a):
    a.flags.writeable = False
    return a


GOOD = np.ones(4, f4)
WRONG = {
    "of ints": lambda: np.ones(4, np.int32),
    "swapped": lambda: np.ones(4, ">f4"),
    "strided": lambda: np.ones(8, f4)[::2],
    "misaligned": lambda: np.zeros(17, np.uint8)[1:].view(f4),
    "short": lambda: np.ones(3, f4),
    "without an element": lambda: np.ones((4, 0), f4),
    "of numbers with twice the bytes": lambda: np.ones(4),
    "read-only": lambda: fixed(np.ones(4, f4)),
}
each_wrong = pytest.mark.parametrize("wrong", WRONG)


def liar(wrong):
    return lying(WRONG[wrong](), GOOD)


def made(**options):
    p = np.ones(4, f4)
    return lrcore.Adam(p, lr=0.5, **options), p


@each_wrong
def test_params_are_what_numpy_holds(wrong):
    if wrong in ("short", "without an element", "of numbers with twice the bytes"):
        opt = lrcore.Adam(liar(wrong))  # which is good by itself
        like = WRONG[wrong]()
        assert opt.step(np.ones_like(like))
        m = opt.state[0]["m"]
        assert (m.shape, m.dtype) == (like.shape, like.dtype)
        return
    assert message(lrcore.Adam, liar(wrong)).startswith("params: ")
    beside = [np.ones(2), liar(wrong)]
    assert message(lrcore.Adam, beside).startswith("params[1]: ")
    stopping = partial(lrcore.EarlyStopping, params=liar(wrong))
    assert message(stopping).startswith("params: ")


@each_wrong
def test_gradients_are_what_numpy_holds(wrong):
    opt, p = made(zero_grads=True)
    assert message(opt.step, liar(wrong)).startswith("grads: ")
    assert message(opt.step_one, 0, liar(wrong)).startswith("grad: ")
    if wrong != "read-only":
        assert message(partial(kernels.sgd, t=1), p, liar(wrong)).startswith("g: ")
    assert (p == 1).all()
    assert opt.t == 0


@each_wrong
def test_gradients_are_converted_from_what_numpy_holds(wrong):
    (opt, p), (twin, q) = made(convert_grads=True), made(convert_grads=True)
    grad = np.arange(1, 5).astype(WRONG[wrong]().dtype)
    if wrong in ("short", "without an element"):
        message(opt.step, liar(wrong))
        assert (p == 1).all()
        return
    held = WRONG[wrong]()
    if held.flags.writeable:
        held[...] = grad
    assert opt.step(lying(held, GOOD)) == twin.step(held)
    assert p.tobytes() == q.tobytes()
    assert (p != 1).all()


@each_wrong
def test_what_is_clipped_is_what_numpy_holds(wrong):
    array = liar(wrong)
    if wrong in ("short", "without an element", "of numbers with twice the bytes"):
        assert lrcore.global_norm(array) == np.sqrt(true(array).size)
        lrcore.clip_by_value(array, 0.5)
        assert (true(array) == 0.5).all()
        return
    message(lrcore.clip_by_value, array, 0.5)
    message(lrcore.clip_by_global_norm, array, 0.5)
    if wrong != "read-only":
        message(lrcore.global_norm, array)


@each_wrong
def test_states_are_what_numpy_holds(wrong):
    opt, p = made()
    opt.step(GOOD)
    saved, before = opt.state_dict(), opt.state[0]["m"].tolist()
    saved["state"][0]["m"] = liar(wrong)
    if wrong in ("strided", "misaligned", "read-only"):  # which are copied
        opt.load_state_dict(saved)
        assert (opt.state[0]["m"] == WRONG[wrong]()).all()
    else:
        message(opt.load_state_dict, saved)
        assert opt.state[0]["m"].tolist() == before
    m, v = np.zeros(4, f4), np.zeros(4, f4)
    adam = partial(kernels.adam, t=1)
    assert message(adam, p, GOOD, liar(wrong), v).startswith("m: ")
    assert message(adam, p, GOOD, m, liar(wrong)).startswith("v: ")
    assert message(adam, liar(wrong), GOOD, m, v)
    assert not m.any()
    assert not v.any()


def test_arrays_that_overlap_are_found_whatever_their_attributes_say():
    both = np.ones(8, f4)
    one, other = (lying(both[k : k + 4], GOOD) for k in (0, 2))
    assert "share memory" in message(lrcore.SGD, [one, other])
    opt, p = made()
    assert "share memory" in message(opt.step, lying(p, GOOD))
    m = opt.state[0]["m"]
    assert "share memory" in message(opt.step, lying(m, GOOD))
    twice = [np.ones(4, f4), np.ones(4, f4)]
    zeroing = lrcore.SGD(twice, zero_grads=True)
    assert "share memory" in message(zeroing.step, [one, other])


def test_an_array_that_becomes_read_only_is_refused():
    p = lying(np.ones(4, f4), GOOD)
    opt = lrcore.Adam(p, ema_decay=0.5)
    opt.step(GOOD)
    np.ndarray.setflags(p, write=False)
    said = message(opt.step, GOOD)
    assert "read-only" in said
    with pytest.raises(ValueError, match="read-only"), opt.averaged():
        pass
    stopping = lrcore.EarlyStopping(params=(q := lying(np.ones(4, f4), GOOD)))
    stopping.update(1.0)
    np.ndarray.setflags(q, write=False)
    assert "read-only" in message(stopping.restore)


BAD = np.zeros((3, 2), np.int8)[::2]
BAD.flags.writeable = False


@pytest.mark.parametrize("name", [*KINDS])
def test_a_good_array_is_used_whatever_its_attributes_say(name, tmp_path):
    """They say that it cannot be used, and its methods fail."""

    def run(kept):
        params = [np.linspace(-1, 1, n, dtype=f4).reshape(s) for n, s in (
            (6, (2, 3)), (4, 4), (1, ()))]  # fmt: skip
        given = [kept(p) for p in params]
        refuses = LOOKAHEAD & REFUSED.get(name, set())
        more = {} if refuses else {"lookahead_steps": 2}
        opt = KINDS[name](given, ema_decay=0.5, **more)
        stopping = lrcore.EarlyStopping(params=given)
        for t in range(3):
            opt.step([kept(np.full_like(p, t + 1)) for p in params])
            stopping.update(-t)
        with opt.averaged("ema"):
            averages = [p.tobytes() for p in params]
        saved = opt.state_dict()
        saved["state"] = [
            {key: kept(a) for key, a in own.items()} for own in saved["state"]
        ]
        opt.save(tmp_path / "run")
        opt.step([kept(np.ones_like(p)) for p in params])
        opt.load_state_dict(saved)
        opt.load(tmp_path / "run")
        stopping.restore()
        opt.step([kept(np.ones_like(p)) for p in params])
        lrcore.clip_by_global_norm(given, 0.5)
        return [p.tobytes() for p in params], averages

    assert run(lambda a: lying(a, BAD)) == run(lambda a: a)


@pytest.mark.parametrize("kind", [np.ndarray, np.float32, np.generic])
def test_another_object_is_refused_whatever_its_class_says(kind):
    class Posing:
        __class__ = kind
        __array_interface__ = GOOD.__array_interface__
        dtype, shape, ndim, flags = GOOD.dtype, GOOD.shape, 1, GOOD.flags
        size, nbytes, strides = 4, 16, (4,)

        def __array__(self, *args, **kwargs):
            return np.ones(4, f4)

    posing = Posing()
    message(lrcore.SGD, posing)
    message(lrcore.SGD, [np.ones(4, f4), posing])
    for converts in (False, True):
        opt, p = made(convert_grads=converts)
        message(opt.step, posing)
        message(opt.step_one, 0, posing)
        assert (p == 1).all()
    message(lrcore.global_norm, posing)
    message(lrcore.clip_by_value, posing, 1.0)
    message(partial(kernels.sgd, t=1), posing, GOOD)
    message(partial(kernels.sgd, t=1), np.ones(4, f4), posing)
    opt, _ = made()
    saved = opt.state_dict()
    saved["state"][0]["m"] = posing
    message(opt.load_state_dict, saved)
