"""What the tests share: marks, comparison to the bit, arrays that ask for it."""

import numpy as np
import pytest
from table import ROWS

import lrcore

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.label)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])

LENGTHS = [0, 1, 15, 16, 17, 511, 512, 513, 10007, 100003]


def make(row, params, **more):
    """The optimizer of a row of the table."""
    return getattr(lrcore, row.name)(params, **{**row.kwargs, **more})


def same_bits(a, b):
    """Same dtype, shape and bits, NaNs being all alike."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    bits = np.uint32 if a.dtype == np.float32 else np.uint64
    nan = np.isnan(a)
    return bool(
        np.array_equal(nan, np.isnan(b))
        and np.array_equal(
            np.where(nan, 0, np.ascontiguousarray(a).view(bits).reshape(a.shape)),
            np.where(nan, 0, np.ascontiguousarray(b).view(bits).reshape(b.shape)),
        )
    )


def placed(shape, dtype, offset=0, order="C"):
    """An array that begins `offset` elements after a 64-byte boundary."""
    dtype = np.dtype(dtype)
    count = int(np.prod(shape, dtype=int))
    raw = np.zeros((count + offset) * dtype.itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64 + offset * dtype.itemsize
    flat = raw[start : start + count * dtype.itemsize].view(dtype)
    return flat.reshape(shape, order=order)


def ordinary(rng, shape, dtype):
    """Values whose squares and quotients stay normal numbers."""
    values = rng.uniform(0.01, 10, shape) * rng.choice([-1, 1], shape)
    return np.asarray(values, dtype)


def wild(rng, shape, dtype):
    """Values of every magnitude; a tenth of them inf, NaN, -0, subnormal or extreme."""
    info = np.finfo(dtype)
    with np.errstate(over="ignore", under="ignore"):
        exponents = rng.uniform(np.log2(info.tiny), np.log2(info.max), shape)
        narrow = rng.uniform(-4, 4, shape)
        size = np.exp2(np.where(rng.random(shape) < 0.5, narrow, exponents))
        values = (size * rng.choice([-1, 1], shape)).astype(dtype)
    special = [np.inf, -np.inf, np.nan, 0.0, -0.0, info.max, info.tiny]
    special += [info.smallest_subnormal, -info.smallest_subnormal, info.tiny / 3]
    chosen = rng.choice(np.array(special, dtype), shape)
    return np.where(rng.random(shape) < 0.1, chosen, values).astype(dtype)


def snapshot(arrays):
    return [(a.tobytes("A"), a.dtype, a.shape, a.strides) for a in arrays]
