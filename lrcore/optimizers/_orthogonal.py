"""Matrices with all singular values near 1, by the iteration of Newton and Schulz.

An iteration replaces x by P x, where P = a I + b G + c G^2 and G = x x^T, so that
each singular value s becomes a s + b s^3 + c s^5.  P commutes with G and with the P of
later iterations, so that several iterations can work on the small matrix G (Zhang,
Amsel, Chen & Dao 2026, "Gram Newton-Schulz")::

    G = x x^T;   Q = I
    Q = P Q;     G = P^2 G         in each iteration
    x = Q x                        at the end

This saves two products with x in each iteration but the first.  The price is accuracy.
G has a rounding error of about eps in units of its largest eigenvalue, and where an
eigenvalue is near 0, each iteration multiplies the error by P^2 = a^2: in float32, with
a = 3.4, it is 0.002 in the fifth iteration, and in the eighth the iteration diverges.
Therefore G is made from x again before the error exceeds `ERROR`.  The iterations
between are called a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any, Literal, NamedTuple

import numpy as np

from lrcore._shared.types import Array

Term = tuple[float, float, float]
"""a, b and c of an iteration."""

Terms = Sequence[Term]

ERROR = 0.01
"""The largest error of G.  It changes P by the share ``|b| / a * ERROR`` where an
eigenvalue is near 0: by 1.4 % with the coefficients of Muon."""

WIDE = 1.5
"""The least ratio of columns to rows for runs of more than one iteration.

In such a run an iteration has three more products of square matrices, and saves x x^T
and P x.  If a product that is known to be symmetric took half the time of another one,
both would take the same time at a ratio of 1; if it took the same time, at 1.5.
"""

PANEL = 128
"""Columns of a panel of a symmetric product."""

PAD = 16
"""Elements between the rows of a matrix that is made in panels.

Without them, if a row has a power of 2 of bytes, the elements of a column lie in few
sets of the cache, and to copy columns to rows takes twice the time at 512 x 512 and
four times at 1024 x 1024.
"""


class NewtonSchulz:
    """An iteration with its coefficients.

    terms : a, b and c of each iteration.
    eps : lower bound of the norm by which x is divided first.
    adds_eps : whether eps is added to the norm instead.
    """

    __slots__ = ("adds_eps", "eps", "runs", "terms")

    def __init__(self, terms: Terms, eps: float, adds_eps: bool) -> None:
        self.terms, self.eps, self.adds_eps = terms, eps, adds_eps
        self.runs: dict[float, list[Terms]] = {}  # of wide matrices, by eps of a dtype

    def apply(self, x: Array, scale: float, buffers: Buffers) -> None:
        """Replace a matrix by `scale` times the result of the iterations.

        A matrix of zeros stays.  If an element is not finite, all become NaN.
        """
        if x.size == 0:
            return
        if x.shape[0] > x.shape[1]:
            x = x.T
        runs = self.runs_for(x, buffers.eps)
        room = buffers.of(x, 4 if len(runs) < len(self.terms) else 3)
        gram = room.squares[0]
        factor = self.factor(x, gram, buffers.least, buffers.most)
        if factor is None:
            return
        if not runs:
            np.multiply(x, factor * scale, out=x)
            return
        np.multiply(gram.memory, factor * factor, out=gram.memory)
        old, new = x, room.like
        for k, run in enumerate(runs):
            if k > 0:
                symmetric_product(old, old.T, gram.array)
                factor = 1.0
            last = scale if k + 1 == len(runs) else 1.0
            np.matmul(product(run, factor * last, room.squares), old, out=new)
            old, new = new, old
        if old is not x:
            np.copyto(x, old)

    def factor(self, x: Array, gram: Square, least: float, most: float) -> float | None:
        """Make G from x; return 1 / the divisor of x, or None if x needs no iteration.

        The squared norm of x is the trace of G.  If it is not between `least` and
        `most`, x is divided by its largest element first.
        """
        symmetric_product(x, x.T, gram.array)
        square, size = float(gram.diagonal.sum()), 1.0
        if not least <= square <= most:
            size = float(max(x.max(), -x.min()))
            if not size > 0:  # all are 0, or one is NaN
                np.multiply(x, size, out=x)
                return None
            np.divide(x, size, out=x)
            symmetric_product(x, x.T, gram.array)
            square = float(gram.diagonal.sum())
        norm, eps = sqrt(square), self.eps / size
        return 1 / (norm + eps if self.adds_eps else max(norm, eps))

    def runs_for(self, x: Array, eps: float) -> list[Terms]:
        """Return the iterations of a matrix, in runs; eps : that of its dtype."""
        rows, columns = x.shape
        if columns < WIDE * rows:
            return [[term] for term in self.terms]
        if eps not in self.runs:
            self.runs[eps] = runs_of(self.terms, eps)
        return self.runs[eps]


def runs_of(terms: Terms, eps: float) -> list[Terms]:
    """Split iterations into the longest runs in which the error of G is small.

    eps : the error of G at the beginning of a run.
    """
    firsts, error = [0], eps
    for k, (a, _, _) in enumerate(terms):
        if error > ERROR and k > firsts[-1]:
            firsts.append(k)
            error = eps
        error *= a * a
    ends = [*firsts[1:], len(terms)]
    return [terms[i:j] for i, j in zip(firsts, ends, strict=True) if i < j]


class Square(NamedTuple):
    """A square matrix, in memory that has a pad after each row.

    array : the matrix.  memory : the matrix and the pads, contiguous.
    diagonal : a view of its elements.
    """

    array: Array
    memory: Array
    diagonal: Array

    @classmethod
    def of(cls, memory: Array, side: int) -> Square:
        """Return the matrix of a side in a part of some memory."""
        used = memory[: side * _row(side)]
        array = used.reshape(side, -1)[:, :side]
        return cls(array, used, used[:: _row(side) + 1])

    def add(self, number: float) -> None:
        """Add a multiple of the identity."""
        np.add(self.diagonal, number, out=self.diagonal)


def _row(side: int) -> int:
    """Return the elements of a row and its pad."""
    return side + (PAD if side >= 2 * PANEL else 0)


def product(run: Terms, factor: float, squares: Sequence[Square]) -> Array:
    """Return Q of a run times a factor, in one of the squares.

    squares : the first is G; then two more, or three for several iterations.  All are
        overwritten.
    """
    g, h, p, *more = squares
    if len(run) == 1:
        polynomial(run[0], factor, g, h, p)
        return p.array
    (q,) = more
    polynomial(run[0], 1.0, g, h, q)
    before = q
    for k, term in enumerate(run[1:], start=2):
        symmetric_product(before.array, before.array, h.array)
        symmetric_product(g.array, h.array, p.array)
        g, p = p, g
        polynomial(term, factor if k == len(run) else 1.0, g, h, p)
        symmetric_product(p.array, q.array, h.array)
        q, h, before = h, q, p
    return q.array


def polynomial(term: Term, factor: float, g: Square, h: Square, p: Square) -> None:
    """Write P times a factor to p; h is scratch."""
    a, b, c = term
    np.multiply(g.memory, factor * c, out=h.memory)
    h.add(factor * b)
    symmetric_product(g.array, h.array, p.array)
    p.add(factor * a)


def symmetric_product(a: Array, b: Array, out: Array) -> None:
    """Write a b, which is known to be symmetric, to `out`.

    A large product is made in panels of columns from the diagonal down, which are
    copied to the rows above it: 0.75 of the time of a product that is not symmetric.
    (For a product with the own transpose NumPy calls BLAS's syrk, and then copies
    element by element; at 512 x 512 this takes longer than a product by gemm.)
    """
    side = len(out)
    if side < 2 * PANEL:
        np.matmul(a, b, out=out)
        return
    for i in range(0, side, PANEL):
        j = i + PANEL
        np.matmul(a[i:], b[:, i:j], out=out[i:, i:j])
        out[i:j, j:] = out[j:, i:j].T


# --- buffers --------------------------------------------------------------------------


class Room(NamedTuple):
    """Buffers for matrices of one shape.

    like : an array like them.  squares : square matrices of the shorter side.
    """

    like: Array
    squares: list[Square]


class Buffers:
    """Buffers for matrices of one dtype, whose memory is enough for the largest one.

    eps : the rounding error of the dtype.
    least, most : a sum of squares between them has lost nothing to the dtype's range.
    """

    __slots__ = ("eps", "flat", "least", "most", "rooms")

    def __init__(self, dtype: np.dtype[Any]) -> None:
        kind = np.finfo(dtype)
        self.eps, self.most = float(kind.eps), float(kind.max)
        self.least = float(kind.tiny) / self.eps / self.eps
        self.flat = [np.empty(0, dtype) for _ in range(5)]
        self.rooms: dict[object, Room] = {}

    def of(self, x: Array, squares: int) -> Room:
        """Return the buffers of a matrix that has no more rows than columns.

        squares : how many.
        """
        key = x.shape, x.flags.c_contiguous, squares
        if key not in self.rooms:
            self.rooms[key] = self.made(x, squares)
        return self.rooms[key]

    def made(self, x: Array, squares: int) -> Room:
        """Return views of the buffers, which become larger if necessary."""
        side = x.shape[0]
        sizes = [x.size, *[side * _row(side)] * squares]
        for k, size in enumerate(sizes):
            if self.flat[k].size < size:
                self.rooms.clear()  # they are views of the smaller one
                self.flat[k] = np.zeros(size, x.dtype)  # in the pads, too
        order: Literal["C", "F"] = "C" if x.flags.c_contiguous else "F"
        like = self.flat[0][: x.size].reshape(x.shape, order=order)
        used = self.flat[1 : 1 + squares]
        return Room(like, [Square.of(memory, side) for memory in used])
