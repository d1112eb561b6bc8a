"""Bad gradients, and params that have changed, raise before anything is written."""

import copy

import numpy as np
import pytest
from helpers import KINDS, each_dtype, each_kind, placed, snapshot
from network import (
    arrays_of,
    everything,
    gradients,
    misaligned,
    network,
    other_byte_order,
)

import lrcore

# What the last gradient (seven ones) is replaced by, and what is said of it.
LAST = {
    "list": (lambda g, p: [1.0] * 7, TypeError, "found list"),
    "scalar": (lambda g, p: np.float32(1), TypeError, "found numpy.float32"),
    "float16": (lambda g, p: g.astype(np.float16), TypeError, "found float16"),
    "int": (lambda g, p: g.astype(np.int64), TypeError, "found int64"),
    "complex": (lambda g, p: g.astype(np.complex64), TypeError, "found complex64"),
    "object": (lambda g, p: g.astype(object), TypeError, "found object"),
    "other float": (
        lambda g, p: g.astype(np.float64 if g.dtype == np.float32 else np.float32),
        TypeError,
        "expected dtype float",
    ),
    "byte order": (lambda g, p: other_byte_order(g), TypeError, "foreign byte order"),
    "strided": (lambda g, p: np.repeat(g, 2)[::2], ValueError, "non-contiguous"),
    "reversed": (lambda g, p: g[::-1], ValueError, "non-contiguous"),
    "misaligned": (lambda g, p: misaligned((7,), g.dtype), ValueError, "misaligned"),
    "masked": (lambda g, p: np.ma.masked_array(g), TypeError, "masked array"),
    "longer": (lambda g, p: np.ones(8, g.dtype), ValueError, "expected shape"),
    "2-d": (lambda g, p: g.reshape(7, 1), ValueError, "expected shape"),
    "own parameter": (
        lambda g, p: p["last"][1],
        ValueError,
        "share memory with params",
    ),
}


@each_dtype
@pytest.mark.parametrize("case", LAST)
def test_a_bad_last_gradient_changes_nothing(case, dtype):
    refuses(lrcore.Adam, case, dtype)


@each_kind
def test_a_bad_last_gradient_changes_nothing_of_any_optimizer(name):
    """All have the same checks: of these the first, and the one that is made last."""
    refuses(KINDS[name], "list", "float32")
    refuses(KINDS[name], "own parameter", "float64")


def refuses(kind, case, dtype):
    spoil, error, text = LAST[case]
    params, grads = network(dtype), gradients(dtype)
    opt = kind(params)
    opt.step(grads)
    before = everything(opt, params)
    grads["last"][1] = spoil(grads["last"][1], params)
    with pytest.raises(error, match=r"grads\['last'\]\[1\].*" + text):
        opt.step(grads)
    assert everything(opt, params) == before
    assert opt.step(gradients(dtype))


def overlap_of(array, skew):
    """An array of the same kind that begins `skew` elements into this one's buffer."""
    return np.ndarray(array.shape, array.dtype, buffer=array.base, offset=skew)


@pytest.mark.parametrize(
    "what", ["another parameter", "a state", "the end of a parameter"]
)
def test_a_gradient_that_overlaps_the_optimizers_buffers(what):
    buffer = np.ones(14, np.float32)
    params = network()
    params["last"][1] = buffer[:7]
    opt = lrcore.Adam(params)
    opt.step(gradients())
    grads = gradients()
    if what == "another parameter":
        grads["last"][1] = params["first"]["W"].reshape(-1)[2:9]
        text = r"params\['first'\]\['W'\]"
    elif what == "a state":
        grads["last"][1] = opt.state[3]["v"]
        text = r"the state of params\['last'\]\[1\]"
    else:
        grads["last"][1] = buffer[6:13]
        text = r"params\['last'\]\[1\]"
    before = everything(opt, params)
    with pytest.raises(
        ValueError, match=r"grads\['last'\]\[1\].*share memory with " + text
    ):
        opt.step(grads)
    assert everything(opt, params) == before
    grads["last"][1] = buffer[7:]
    assert opt.step(grads)


def test_a_transposed_gradient_is_called_that():
    opt = lrcore.Adam(np.ones((2, 3)))
    with pytest.raises(ValueError, match="the shape of its transpose"):
        opt.step(np.ones((3, 2)))


def test_attributes_that_do_not_exist_cannot_be_set():
    opt = lrcore.Adam(np.ones(3))
    for name in ("momentum", "learning_rate", "v"):
        with pytest.raises(AttributeError, match=name):
            setattr(opt, name, 0.5)
    with pytest.raises(
        ValueError, match="t: expected a number of steps, an int >= 0, found -3"
    ):
        opt.t = -3


def test_an_optimizer_is_not_copied_apart_from_its_arrays():
    with pytest.raises(TypeError, match=r"use copy\.deepcopy\(\(params, opt\)\)"):
        copy.copy(lrcore.Adam(np.ones(3)))


def test_a_gradient_of_the_other_memory_order():
    params, grads = network(), gradients()
    opt = lrcore.Adam(params)
    before = everything(opt, params)
    grads["last"][0] = np.ascontiguousarray(grads["last"][0])
    with pytest.raises(ValueError, match=r"grads\['last'\]\[0\].*memory order F"):
        opt.step(grads)
    assert everything(opt, params) == before


# --- structure ------------------------------------------------------------------------


def without(mapping, key):
    return {k: v for k, v in mapping.items() if k != key}


STRUCTURES = {
    "an array": (lambda g: np.ones(7, np.float32), TypeError, "grads: expected a dict"),
    "a list": (lambda g: list(g.values()), TypeError, "grads: expected a dict"),
    "None": (lambda g: None, TypeError, "grads: expected a dict"),
    "a missing key": (lambda g: without(g, "last"), ValueError, r"missing \['last'\]"),
    "an extra key": (lambda g: g | {"x": 1}, ValueError, r"extra \['x'\]"),
    "another key": (
        lambda g: {"first": g["first"], "lost": g["last"]},
        ValueError,
        r"extra \['lost'\] and missing \['last'\]",
    ),
    "a dict for a list": (
        lambda g: g | {"last": {0: 1, 1: 2}},
        TypeError,
        r"grads\['last'\]: expected a list or tuple",
    ),
    "a shorter list": (
        lambda g: g | {"last": g["last"][:1]},
        ValueError,
        r"missing \[1\]",
    ),
    "a longer list": (
        lambda g: g | {"last": [*g["last"], g["last"][0]]},
        ValueError,
        r"extra \[2\]",
    ),
    "an array for a dict": (
        lambda g: g | {"first": np.ones(3, np.float32)},
        TypeError,
        r"grads\['first'\]: expected a dict",
    ),
}


@pytest.mark.parametrize("case", STRUCTURES)
def test_gradients_of_another_structure(case):
    spoil, error, text = STRUCTURES[case]
    params = network()
    opt = lrcore.Adam(params)
    before = everything(opt, params)
    with pytest.raises(error, match=text):
        opt.step(spoil(gradients()))
    assert everything(opt, params) == before


def test_a_tuple_serves_as_a_list_of_gradients():
    params, grads = network(), gradients()
    grads["last"] = tuple(grads["last"])
    assert lrcore.Adam(params).step(grads)


# --- params that are no longer what they were -----------------------------------------


def rebind_array(params):
    params["first"]["W"] = params["first"]["W"] - 1


def rebind_list_entry(params):
    params["last"][1] = params["last"][1] * 2


def rebind_container(params):
    params["last"] = list(params["last"])


def remove(params):
    del params["first"]["b"]


def add(params):
    params["first"]["extra"] = np.ones(2, np.float32)


def lengthen(params):
    params["last"].append(np.ones(2, np.float32))


def shorten(params):
    params["last"].pop()


def lock(params):
    params["last"][1].flags.writeable = False


def resize(params):
    params["last"][1].resize(1_000_000, refcheck=False)


def retype(params):
    params["first"]["W"].dtype = np.int32


def reshape(params):
    params["first"]["W"].shape = (3, 4)


CHANGES = {
    rebind_array: r"params\['first'\]\['W'\]: found another object",
    rebind_list_entry: r"params\['last'\]\[1\]: found another object",
    rebind_container: r"params\['last'\]: found another object",
    remove: r"params\['first'\]: has changed since construction: missing \['b'\]",
    add: r"params\['first'\]: has changed since construction: extra \['extra'\]",
    lengthen: r"params\['last'\]: has changed since construction: extra \[2\]",
    shorten: r"params\['last'\]: has changed since construction: missing \[1\]",
    lock: r"params\['last'\]\[1\]: found a read-only array",
    resize: r"grads\['last'\]\[1\]: expected shape \(1000000,\)",
    retype: r"params\['first'\]\['W'\]: expected dtype float32 or float64, found int32",
    reshape: r"grads\['first'\]\['W'\]: expected shape \(3, 4\)",
}


@pytest.mark.filterwarnings("ignore:Setting the:DeprecationWarning")
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_parameter_is_named_at_the_next_step(change):
    params = network()
    held = arrays_of(params)
    opt = lrcore.AdamW(params)
    opt.step(gradients())
    change(params)
    arrays = [*held, *(a for state in opt.state for a in state.values())]
    before = snapshot(arrays)
    with pytest.raises((ValueError, TypeError), match=CHANGES[change]):
        opt.step(gradients())
    assert snapshot(arrays) == before
    assert opt.t == 1


def test_memory_moved_behind_the_same_shape():
    params = [np.ones(5, np.float32)]
    opt = lrcore.SGD(params, momentum=0.9)
    address = params[0].ctypes.data
    params[0].resize(2_000_000, refcheck=False)
    in_its_place = [np.ones(5, np.float32) for _ in range(1000)]
    params[0].resize(5, refcheck=False)
    assert params[0].ctypes.data != address, "the allocator gave the same place again"
    with pytest.raises(ValueError, match="memory was moved"):
        opt.step([np.ones(5, np.float32)])
    assert all((a == 1).all() for a in in_its_place)


def test_containers_that_change_while_they_are_looked_at():
    class Spiteful(dict):
        def __len__(self):
            grads.clear()
            return dict.__len__(self)

    grads = {}
    opt = lrcore.SGD({"x": Spiteful(a=np.ones(3), b=np.ones(3))})
    grads = {"x": {"a": np.ones(3), "b": np.ones(3)}}
    assert opt.step(grads)


def test_an_empty_gradient_overlaps_nothing():
    m = np.ones((4, 5))
    opt = lrcore.SGD({"a": m, "b": np.ones((0, 5))})
    assert opt.step({"a": m * 1, "b": m[2:][:0]})


def test_placed_arrays_of_any_alignment_are_taken():
    params = [placed((5, 3), "float32", offset) for offset in range(16)]
    grads = [placed((5, 3), "float32", offset) for offset in range(16)]
    assert lrcore.Adam(params).step(grads)
