"""Factored second moments: the division by their root, and the sums for new factors."""

from __future__ import annotations

import numpy as np

from lrcore._core import Factors
from lrcore._shared.bounds import squarable
from lrcore._shared.types import Array
from lrcore.reference._sums import squares_of

__all__ = ["factor_stats", "unfactor"]


def unfactor(g: Array, factors: Factors) -> Array:
    """Return g divided by the root of its factored second moment.

    The second moment is ``max(row col, floor)``, or ``min(row, col) + g^2 + floor`` if
    factors.least is set.
    """
    if g.size == 0:
        return g
    shape = (-1, factors.n_rows, factors.n_cols)
    x = g.ravel(order="K").reshape(shape)
    row, col = _factors_of(factors, shape)
    floor = g.dtype.type(factors.floor)
    with np.errstate(all="ignore"):
        if factors.least:
            x = squarable(x)
            v = np.where(row < col, row, col) + x * x + floor
        else:
            v = row * col
            v = np.where(v < floor, floor, v)
        u = np.asarray(x / np.sqrt(v))
    return u.reshape(g.shape, order="C" if g.flags.c_contiguous else "F")


def factor_stats(g: Array, factors: Factors) -> tuple[Array, Array]:
    """Return the statistics of rows and of columns that the next factors need.

    For each row and each column, the sum of squares in the kernels' order; or the
    largest ``min(row, col) + g^2`` if factors.least is set.
    """
    shape = (-1, factors.n_rows, factors.n_cols)
    x = g.ravel(order="K").reshape(shape)
    with np.errstate(all="ignore"):
        if factors.least:
            row, col = _factors_of(factors, shape)
            x = squarable(x)
            v = (np.where(row < col, row, col) + x * x).astype(np.float64)
            return v.max(axis=2).ravel(), v.max(axis=1).ravel()
        rows = np.array([squares_of(r) for r in x.reshape(-1, factors.n_cols)])
        wide = x.astype(np.float64)
        return rows, np.add.accumulate(wide * wide, axis=1)[:, -1].ravel()


def _factors_of(factors: Factors, shape: tuple[int, int, int]) -> tuple[Array, Array]:
    """Return the factors of a sequence of matrices, in shapes that broadcast."""
    row: Array = factors.row.reshape(shape[:2])[:, :, None]
    return row, factors.col.reshape(-1, 1, shape[2])
