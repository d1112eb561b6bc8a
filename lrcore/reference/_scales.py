"""The scales of scales.def: they change the coefficients of a step by norms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrcore._shared.types import Array
from lrcore.reference._sums import Squares

__all__ = ["adafactor", "lamb", "lars", "novograd"]


def adafactor(c: Sequence[float], uu: Squares, pp: Squares, *, coefs: Array) -> Array:
    """Multiply lr by ``max(least, |after| RMS(p)) / max(1, RMS(u) / most)``.

    uu and pp are mean squares; the other scales take sums.
    """
    p, u = abs(c[2]) * pp.norm(), uu.norm() / c[1]
    coefs[3] *= (p if p > c[0] else c[0]) / (u if u > 1 else 1.0)
    return coefs


def lars(c: Sequence[float], gg: Squares, pp: Squares, *, coefs: Array) -> Array:
    """Multiply gscale and l2 by ``r = trust |p| / (|g| + l2 |p| + eps)``."""
    p, g = pp.norm(), abs(coefs[0]) * gg.norm()
    if p != 0 and g != 0:
        coefs[:2] *= c[0] * p / (g + coefs[1] * p + c[1])
    return coefs


def novograd(
    c: Sequence[float], gg: Squares, pp: Squares, norm2: Array, *, coefs: Array
) -> Array:
    """``norm2 += w (|g|^2 - norm2)``; divide gscale by ``sqrt(norm2) + eps``."""
    norm2 += c[0] * (gg.within_float(coefs[0]) - norm2)
    coefs[0] /= np.sqrt(norm2) + c[1]
    return coefs


def lamb(c: Sequence[float], uu: Squares, pp: Squares, *, coefs: Array) -> Array:
    """Return the coefficients to step by the emitted u: lr times the trust ratio.

    ``r = min(|p| / |f u|, most)``, or 1 if a norm is 0.
    """
    p, u = abs(c[0]) * pp.norm(), c[2] * uu.norm()
    r = 1.0
    if p != 0 and u != 0:
        r = c[1] if p / u > c[1] else p / u
    return np.array([1.0, 0.0, c[0], coefs[3] * r])
