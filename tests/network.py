"""A small network's params and gradients, and arrays that are refused."""

import numpy as np
from helpers import snapshot


def network(dtype="float32"):
    rng = np.random.default_rng(0)
    return {
        "first": {"W": rng.normal(size=(4, 3)).astype(dtype), "b": np.ones(3, dtype)},
        "last": [
            np.asfortranarray(rng.normal(size=(3, 5)).astype(dtype)),
            np.ones(7, dtype),
        ],
    }


def gradients(dtype="float32"):
    return {
        "first": {"W": np.full((4, 3), 0.5, dtype), "b": np.ones(3, dtype)},
        "last": [np.full((3, 5), 0.25, dtype, order="F"), np.ones(7, dtype)],
    }


def arrays_of(params):
    return [params["first"]["W"], params["first"]["b"], *params["last"]]


def everything(opt, params):
    """Bits of all params and states, and the step count."""
    states = [array for state in opt.state for array in state.values()]
    return snapshot(arrays_of(params) + states), opt.t


def misaligned(shape, dtype):
    raw = np.zeros(int(np.prod(shape)) * np.dtype(dtype).itemsize + 1, np.uint8)
    return raw[1:].view(dtype).reshape(shape)


def other_byte_order(a):
    return a.astype(a.dtype.newbyteorder())


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a
