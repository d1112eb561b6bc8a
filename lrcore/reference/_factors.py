"""Factored second moments: the direction made of them, and their new sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrcore._shared.bounds import largest, squarable
from lrcore._shared.sums import in_order
from lrcore._shared.types import Array
from lrcore.reference._sums import squares_of, sum_of

__all__ = ["unfactor", "unfactor_least", "unfactor_product"]

STRIP, TILE_ROWS = 2048, 64
"""The most columns and the least rows whose squares are summed as one."""


def unfactor(
    factoring: str, g: Array, sides: Sequence[Array], coefs: Sequence[float]
) -> tuple[Array, list[Array]]:
    """Return g divided by the root of its second moment, and the moment's new sides.

    Parameters
    ----------
    factoring : str
        ``product`` (Adafactor) or ``least`` (SM3): see ``plan.h``.
    g : ndarray
        The gradient.
    sides : sequence of ndarray
        Those of the second moment, in the order of g's memory.
    coefs : sequence of float
        ``(w, eps, added)`` for ``product``, ``(eps,)`` for ``least``.
    """
    if g.size == 0:
        return g, [side.copy() for side in sides]
    c_order = g.flags.c_contiguous
    make = {"product": _product, "least": _least}[factoring]
    with np.errstate(all="ignore"):
        u, new = make(g if c_order else g.T, sides, coefs)
    return u if c_order else u.T, new


def unfactor_product(g: Array, row: Array, col: Array, bound: Array) -> Array:
    """Return g times the inverse roots of its factors, whose product is bounded."""
    root = row * col
    return g * np.where(root > bound, bound, root)


def unfactor_least(g: Array, least: Array, eps: Array) -> tuple[Array, Array]:
    """Return ``g / sqrt(v + eps)`` and ``v = least + g^2``."""
    g = squarable(g)
    v = least + g * g
    return g / np.sqrt(v + eps), v


def _product(
    g: Array, sides: Sequence[Array], coefs: Sequence[float]
) -> tuple[Array, list[Array]]:
    w, eps, added = coefs
    kind = np.finfo(g.dtype)
    eps = float(kind.eps) if eps < 0 else eps
    more, least = (eps, 0.0) if added else (0.0, eps)
    most, floor = float(kind.max) / g.size, max(least * least, float(kind.tiny))
    if len(sides) == 1:
        return _whole(g, sides[0], *np.asarray((w, more, most, floor), g.dtype))
    rows, cols = g.shape[-2:]
    x = g.reshape(-1, rows, cols)

    def renewed(side: Array, means: Array) -> Array:
        old = side.reshape(means.shape).astype(np.float64)
        means = means + more
        return old + w * (np.where(means > most, most, means) - old)

    row = renewed(sides[0], _row_sums(x) / cols)
    col = renewed(sides[1], _col_sums(x) / rows)
    mean = np.array([sum_of(each) for each in row]) / rows
    least = max(least, np.finfo(np.float64).tiny)
    mean = np.where(mean < least, least, mean)[:, None]
    roots = np.sqrt(mean / row).astype(g.dtype), np.sqrt(1 / col).astype(g.dtype)
    bound = g.dtype.type(1 / np.sqrt(floor))
    u = unfactor_product(x, roots[0][:, :, None], roots[1][:, None, :], bound)
    new = [
        value.astype(g.dtype).reshape(side.shape)
        for side, value in zip(sides, (row, col), strict=True)
    ]
    return u.reshape(g.shape), new


def _whole(
    g: Array, v: Array, w: Array, more: Array, most: Array, floor: Array
) -> tuple[Array, list[Array]]:
    """Do the same where the second moment has one side, of g's shape."""
    g = squarable(g)
    square = g * g + more
    v = v + w * (np.where(square > most, most, square) - v)
    return g / np.sqrt(np.where(v < floor, floor, v)), [v]


def _row_sums(x: Array) -> Array:
    """Return the sums of squares of each row, strip by strip."""
    sums = [
        in_order(squares_of(row[i : i + STRIP]) for i in range(0, row.size, STRIP))
        for row in x.reshape(-1, x.shape[-1])
    ]
    return np.array(sums).reshape(x.shape[:2])


def _col_sums(x: Array) -> Array:
    """Return the sums of squares of each column, tile by tile."""
    _, rows, cols = x.shape
    tile, squares = max(TILE_ROWS, STRIP // cols), x.astype(np.float64) ** 2
    tiles = [squares[:, i : i + tile] for i in range(0, rows, tile)]
    first, *others = [np.add.accumulate(each, axis=1)[:, -1] for each in tiles]
    sums: Array = in_order(others, first)
    return sums


def _least(
    g: Array, sides: Sequence[Array], coefs: Sequence[float]
) -> tuple[Array, list[Array]]:
    x = g.reshape(g.shape or (1,))
    shape = [(-1, *[1] * (x.ndim - 1 - k)) for k in range(x.ndim)]
    *leading, least = [side.reshape(n) for side, n in zip(sides, shape, strict=True)]
    if leading:
        row = leading.pop()
        for side in reversed(leading):
            row = np.where(row < side, row, side)
        least = np.where(row < least, row, least)
    u, v = unfactor_least(x, least, x.dtype.type(coefs[0]))
    most = largest(x) / 2  # so that the next g^2 can be added
    axes = range(x.ndim)
    new = [v.max(axis=tuple(j for j in axes if j != k)) for k in axes]
    return u.reshape(g.shape), [np.where(each > most, most, each) for each in new]
