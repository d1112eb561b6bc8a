"""The reference: every rule in plain NumPy, with the kernels' order of operations.

The C kernels are held to these functions with ``==``, in both precisions, for every
instruction set and number of threads.  They are the shortest exact statement of what a
step does; equations and papers stand over the rules in ``src_c/rules/``.

A rule takes the coefficients ``c`` that ``rules.def`` names, the gradient ``g`` and its
states, which it updates in place, and returns the direction ``u``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrcore._typing import Array


def step(
    rule: str, p: Array, g: Array, states: Sequence[Array], coefs: Sequence[float]
) -> None:
    """Update p and the states in place, as one step of the kernels does.

    ::

        g' = gscale g + l2 p;   u = rule(g', states);   p = decay p - lr u

    Parameters
    ----------
    rule : str
        The name of a function of this module.
    p, g : ndarray
        Parameters and gradients, float32 or float64.
    states : sequence of ndarray
        The rule's state arrays.
    coefs : sequence of float
        ``(gscale, l2, decay, lr, *c)`` in float64, rounded once to p's dtype.
        Where l2 is 0 its term is absent.

    Examples
    --------
    >>> p, m = np.ones(2), np.zeros(2)
    >>> step("momentum", p, np.full(2, 0.5), [m], (1, 0, 1, 0.1, 0.9, 1.0))
    >>> p
    array([0.95, 0.95])
    """
    with np.errstate(all="ignore"):
        gscale, l2, decay, lr, *c = np.asarray(coefs, dtype=p.dtype)
        g = gscale * g
        if l2 != 0:
            g = g + l2 * p
        u = globals()[rule](c, g, *states)
        p[...] = decay * p - lr * u


def sgd(c: Sequence[float], g: Array) -> Array:
    """``u = g``."""
    return g


def momentum(c: Sequence[float], g: Array, m: Array) -> Array:
    """``m = mu m + w g;  u = m``."""
    m[...] = c[0] * m + c[1] * g
    return m


def nesterov(c: Sequence[float], g: Array, m: Array) -> Array:
    """``m = mu m + w g;  u = x g + mu m``."""
    return c[2] * g + c[3] * momentum(c, g, m)


def adam(c: Sequence[float], g: Array, m: Array, v: Array) -> Array:
    """``m += (1-b1)(g-m);  v += (1-b2)(g^2-v);  u = m / (sqrt(v) r + eps)``."""
    m += c[0] * (g - m)
    v += c[1] * (g * g - v)
    return m / (np.sqrt(v) * c[2] + c[3])


def amsgrad(c: Sequence[float], g: Array, m: Array, v: Array, v_max: Array) -> Array:
    """As adam, with the largest v so far in the denominator."""
    adam(c, g, m, v)
    v_max[...] = np.where(v_max > v, v_max, v)
    return m / (np.sqrt(v_max) * c[2] + c[3])


def adamax(c: Sequence[float], g: Array, m: Array, n: Array) -> Array:
    """``m += (1-b1)(g-m);  n = max(b2 n, |g| + eps);  u = m / n``."""
    m += c[0] * (g - m)
    old, new = c[1] * n, np.abs(g) + c[2]
    n[...] = np.where(old > new, old, new)
    return m / n


def nadam(c: Sequence[float], g: Array, m: Array, v: Array) -> Array:
    """m, v as adam's; ``u = (x g + y m) / (sqrt(v) r + eps)``."""
    m += c[0] * (g - m)
    v += c[1] * (g * g - v)
    return (c[2] * g + c[3] * m) / (np.sqrt(v) * c[4] + c[5])


def rprop(c: Sequence[float], g: Array, g_old: Array, d: Array) -> Array:
    """``d *= eta+, eta- or 1 by the sign of g g_old;  u = sign(g) d``, or 0."""
    agree = g * g_old
    factor = np.where(agree > 0, c[3], np.where(agree < 0, c[2], 1))
    new = (c[0] + c[1] * d) * factor
    new = np.where(new < c[4], c[4], new)
    d[...] = np.where(new > c[5], c[5], new)
    g_old[...] = np.where(agree < 0, 0, g)
    return np.where(g_old > 0, d, np.where(g_old < 0, -d, g_old))


def rmsprop(c: Sequence[float], g: Array, v: Array) -> Array:
    """``v += (1-a)(g^2-v);  u = g / (sqrt(v) + eps)``."""
    v += c[0] * (g * g - v)
    return g / (np.sqrt(v) + c[1])


def rmsprop_centered(c: Sequence[float], g: Array, v: Array, mg: Array) -> Array:
    """As rmsprop, with ``mg += (1-a)(g-mg)`` and ``v - mg^2`` in the place of v."""
    v += c[0] * (g * g - v)
    mg += c[0] * (g - mg)
    variance = v - mg * mg
    return g / (np.sqrt(np.where(variance < 0, 0, variance)) + c[1])


def rmsprop_momentum(c: Sequence[float], g: Array, v: Array, m: Array) -> Array:
    """``m = mu m + rmsprop;  u = m``."""
    m[...] = c[2] * m + rmsprop(c, g, v)
    return m


def rmsprop_centered_momentum(
    c: Sequence[float], g: Array, v: Array, mg: Array, m: Array
) -> Array:
    """``m = mu m + rmsprop_centered;  u = m``."""
    m[...] = c[2] * m + rmsprop_centered(c, g, v, mg)
    return m


def adagrad(c: Sequence[float], g: Array, a: Array) -> Array:
    """``a += g^2;  u = g / (sqrt(a) + eps)``."""
    a += g * g
    return g / (np.sqrt(a) + c[0])


def adadelta(c: Sequence[float], g: Array, v: Array, d: Array) -> Array:
    """``v += (1-rho)(g^2-v);  u = sqrt((d+eps)/(v+eps)) g;  d += (1-rho)(u^2-d)``."""
    v += c[0] * (g * g - v)
    u = np.sqrt((d + c[1]) / (v + c[1])) * g
    d += c[0] * (u * u - d)
    return u
