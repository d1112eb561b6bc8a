"""Whole steps: the rule, the driver's part around it, and scales; sums of a gauge."""

from __future__ import annotations

from collections.abc import Sequence
from math import frexp, isfinite, ldexp

import numpy as np

from lrcore._shared.sums import in_order
from lrcore._shared.types import Array
from lrcore.reference import _gauges, _rules, _scales
from lrcore.reference._sums import squares, sum_of

__all__ = ["emit", "read_gauge", "scaled_step", "step"]


def step(
    rule: str, p: Array, g: Array, states: Sequence[Array], coefs: Sequence[float]
) -> None:
    """Update p and the states in place, as one step of the kernels does.

    ::

        g' = gscale g + l2 p;   u = rule(g', states);   p = decay p - lr u

    Parameters
    ----------
    rule : str
        The name of a function of this package.
    p, g : ndarray
        Parameters and gradients, float32 or float64.
    states : sequence of ndarray
        The rule's state arrays.
    coefs : sequence of float
        ``(gscale, l2, decay, lr, *c)`` in float64, rounded once to p's dtype.
        If l2 is 0, its term is left out.

    Examples
    --------
    >>> p, m = np.ones(2), np.zeros(2)
    >>> step("momentum", p, np.full(2, 0.5), [m], (1, 0, 1, 0.1, 0.9, 1.0))
    >>> p
    array([0.95, 0.95])
    """
    with np.errstate(all="ignore"):
        _, _, decay, lr, *_ = np.asarray(coefs, dtype=p.dtype)
        u = _direction(rule, p, g, states, coefs)
        p[...] = decay * p - lr * u


def emit(
    rule: str, p: Array, g: Array, states: Sequence[Array], coefs: Sequence[float]
) -> Array:
    """Update the states, and return ``rule(g', states) + decay p``; p does not change.

    If decay is 0, its term is left out.
    """
    with np.errstate(all="ignore"):
        decay = p.dtype.type(coefs[2])
        u = _direction(rule, p, g, states, coefs)
        return np.asarray(u + decay * p if decay != 0 else u)


def scaled_step(
    scale: str,
    scale_coefs: Sequence[float],
    rule: str,
    p: Array,
    g: Array,
    states: Sequence[Array],
    coefs: Sequence[float],
) -> None:
    """Take a step whose coefficients a scale changes by the norms of the tensor.

    Parameters
    ----------
    scale : str
        ``lars``, ``novograd``, ``lamb``, ``adafactor``: a function of this package.
    scale_coefs : sequence of float
        The scale's coefficients, as ``scales.def`` names them.
    rule, p, g, states, coefs
        As in :func:`step`.  The scale's own state, a 0-d float64 array, comes last.
    """
    own = states[-1:] if scale == "novograd" else []
    states = states[: len(states) - len(own)]
    emits = scale == "lamb"
    if emits:
        g, rule, states = emit(rule, p, g, states, coefs), "sgd", []
    with np.errstate(all="ignore"):
        sums = squares(g), squares(p)
        if scale == "adafactor":
            sums = sums[0].mean(p.size), sums[1].mean(p.size)
        now = getattr(_scales, scale)(scale_coefs, *sums, *own, coefs=np.array(coefs))
    step(rule, p, g, states, now)


def read_gauge(
    gauge: str, p: Array, g: Array, arrays: Sequence[Array], coefs: Sequence[float]
) -> tuple[float, ...]:
    """Return the sums of a gauge over a tensor, in the order of :func:`squares`.

    Parameters
    ----------
    gauge : str
        The name of a function of this package.
    p, g : ndarray
        Parameters and gradients.
    arrays : sequence of ndarray
        The other arrays that the gauge reads, as ``gauges.def`` names them.
    coefs : sequence of float
        ``(gscale, l2, *c)``: see :func:`step`.
    """
    with np.errstate(all="ignore"):
        _, l2, *c = np.asarray(coefs, dtype=p.dtype)
        g = _scaled(g, coefs[0])
        if l2 != 0:
            g = g + l2 * p
        flat = (a.ravel(order="K") for a in (g, p, *arrays))
        terms = getattr(_gauges, gauge)(c, *flat)
        return tuple(
            float(in_order(sum_of(x[i : i + 2048]) for i in range(0, x.size, 2048)))
            for x in terms
        )


def _direction(
    rule: str,
    p: Array,
    g: Array,
    states: Sequence[Array],
    coefs: Sequence[float],
) -> Array:
    """Return rule(g', states)."""
    _, l2, _, _, *c = np.asarray(coefs, dtype=p.dtype)
    g = _scaled(g, coefs[0])
    if l2 != 0:
        g = g + l2 * p
    function = getattr(_rules, rule)
    reads_p = "p" in function.__code__.co_varnames[: function.__code__.co_argcount]
    u: Array = function(c, g, *states, *([p] if reads_p else []))
    return u


def _scaled(g: Array, gscale: float) -> Array:
    """Return gscale g; if gscale is no normal float32, by two factors."""
    real = g.dtype.type
    for factor in _halves(gscale):
        g = real(factor) * g if factor != 1 else g
    return g


def _halves(factor: float) -> tuple[float, float]:
    """Return two normal float32 whose product is `factor`; the first is 1 if it can."""
    kind = np.finfo(np.float32)
    normal = float(kind.tiny) <= abs(factor) <= float(kind.max)
    if factor == 0 or not isfinite(factor) or normal:
        return 1.0, factor
    half = int(frexp(factor)[1] / 2)
    return ldexp(1.0, half), ldexp(factor, -half)
