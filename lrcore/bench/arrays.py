"""The arrays of a case: their shapes and values."""

from __future__ import annotations

from collections.abc import Iterable
from math import isqrt

import numpy as np

from lrcore._shared.types import Array
from lrcore.bench.cases import Case, LeftOutError


def random_arrays(
    rng: np.random.Generator, shapes: Iterable[tuple[int, ...]], dtype: str
) -> list[Array]:
    """Return arrays with magnitudes in [0.5, 2) and random signs."""
    return [_signed(rng, shape, dtype) for shape in shapes]


def _signed(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    values: Array = rng.random(shape, dtype=np.dtype(dtype).type)
    values *= 3
    values -= 1.5
    values += np.copysign(values.dtype.type(0.5), values)
    return values


def shapes(case: Case) -> list[tuple[int, int]]:
    """Return the shapes of matrices that are nearly square."""
    if case.elements < case.arrays:
        raise LeftOutError(f"fewer elements than {case.arrays} arrays")
    each, more = divmod(case.elements, case.arrays)
    sizes = [each + 1] * more + [each] * (case.arrays - more)
    return [_near_square(n) for n in sizes]


def _near_square(n: int) -> tuple[int, int]:
    """Return the factors of n that are nearest to each other, the smaller first.

    >>> _near_square(1000)
    (25, 40)
    """
    rows = next(k for k in range(isqrt(n), 0, -1) if n % k == 0)
    return rows, n // rows
