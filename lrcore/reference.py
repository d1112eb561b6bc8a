"""The reference: every rule in plain NumPy, with the kernels' order of operations.

Tests compare the C kernels with these functions by ``==``, in both precisions, for
every instruction set and number of threads.  The functions are the shortest exact
definition of a step; the files in ``src_c/rules/`` give the equations and papers.

A rule takes the coefficients ``c`` that ``rules.def`` names, the gradient ``g`` and its
states, which it updates in place, and returns the direction ``u``.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import frexp, isfinite, ldexp
from typing import Any, NamedTuple

import numpy as np

from lrcore._core import Factors
from lrcore._shared.bounds import (
    capped,
    comparable,
    largest,
    most_squarable,
    saturated,
    squarable,
    summable,
    toward,
    within,
)
from lrcore._shared.sums import in_order
from lrcore._shared.types import Array


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
    function = globals()[rule]
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


# --- around the rule, and norms -------------------------------------------------------


def mechanic_begin(p: Array, delta: Array, p0: Array, numbers: Sequence[float]) -> None:
    """``p0 += p - (p0 - before delta)``, before the rule; numbers: as in mechanic()."""
    with np.errstate(all="ignore"):
        before = p.dtype.type(numbers[1])
        p0 += p - (p0 - before * delta)


def mechanic(p: Array, delta: Array, p0: Array, numbers: Sequence[float]) -> None:
    """``was = p0 - before delta;  delta = keep delta + was - p;  p = p0 - s delta``.

    numbers: keep, before and s.
    """
    with np.errstate(all="ignore"):
        keep, before, s = np.asarray(numbers, dtype=p.dtype)
        was = p0 - before * delta
        delta[...] = saturated(keep * delta + (was - p), p)
        p[...] = p0 - s * delta


def average(a: Array, p: Array, weight: float, pulls: bool = False) -> None:
    """``a += weight (p - a)``; then ``p = a``, if the average pulls.

    Weight 1 copies p exactly; weight 0 changes nothing.
    """
    if weight == 0:
        return
    with np.errstate(all="ignore"):
        a[...] = p if weight == 1 else toward(a, p, p.dtype.type(weight))
        if pulls:
            p[...] = a


class Squares(NamedTuple):
    """A sum of squares in three parts, which keep any finite sum in range.

    mid : the sum over strips whose own sum is in range.
    small, large : the sums of (2^600 x)^2 and (2^-600 x)^2 over the other strips.
    """

    mid: Any
    small: Any
    large: Any

    def norm(self) -> Any:
        """Return the square root of the sum."""
        down = 2.0**-600
        if self.large > 0:
            return np.sqrt(self.large + self.mid * down * down) / down
        if self.mid > 0 or np.isnan(self.mid):
            return np.sqrt(self.mid + self.small * down * down)
        return np.sqrt(self.small) * down

    def mean(self, n: int) -> Squares:
        """Return the sum divided by n."""
        return Squares(*(part / np.float64(n) for part in self))

    def within_float(self, factor: float) -> Any:
        """Return factor^2 times the sum, or the largest float if that is smaller."""
        most, whole = np.finfo(np.float64).max, factor * factor * self.mid
        if not np.isfinite(self.mid) or (self.large == 0 and whole <= most):
            return whole
        return most


def squares(x: Array) -> Squares:
    """Return the sum of squares in float64, in the kernels' order.

    Elements in memory order are split in strips of 2,048.  In a strip, element i is
    added to lane i modulo 32; then the second half of the lanes is added to the first,
    until one lane is left.  The sums of the strips are added in order.
    """
    total = Squares(np.float64(0), np.float64(0), np.float64(0))
    flat = x.ravel(order="K")
    with np.errstate(all="ignore"):
        for first in range(0, flat.size, 2048):
            part = _part_of(flat[first : first + 2048])
            total = Squares(*(a + b for a, b in zip(total, part, strict=True)))
    return total


def _part_of(strip: Array) -> Squares:
    found, none = _squares_of(strip), np.float64(0)
    if strip.dtype == np.float64 and found < 2.0**-900:
        return Squares(none, _squares_of(strip * 2.0**600), none)
    if strip.dtype == np.float64 and np.isinf(found) and np.isfinite(strip).all():
        return Squares(none, none, _squares_of(strip * 2.0**-600))
    return Squares(found, none, none)


def _squares_of(strip: Array) -> Any:
    wide = strip.astype(np.float64)
    return _sum_of(wide * wide)


def _sum_of(terms: Array) -> Any:
    rows = np.zeros((-(-terms.size // 32), 32))
    rows.ravel()[: terms.size] = terms
    lane = np.add.accumulate(rows)[-1]
    while lane.size > 1:
        lane = lane[: lane.size // 2] + lane[lane.size // 2 :]
    return lane[0]


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
        rows = np.array([_squares_of(r) for r in x.reshape(-1, factors.n_cols)])
        wide = x.astype(np.float64)
        return rows, np.add.accumulate(wide * wide, axis=1)[:, -1].ravel()


def _factors_of(factors: Factors, shape: tuple[int, int, int]) -> tuple[Array, Array]:
    """Return the factors of a sequence of matrices, in shapes that broadcast."""
    row: Array = factors.row.reshape(shape[:2])[:, :, None]
    return row, factors.col.reshape(-1, 1, shape[2])


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
        ``lars``, ``novograd``, ``lamb``, ``adafactor``: a function of this module.
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
        now = globals()[scale](scale_coefs, *sums, *own, coefs=np.array(coefs))
    step(rule, p, g, states, now)


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


# --- gauges ---------------------------------------------------------------------------


def read_gauge(
    gauge: str, p: Array, g: Array, arrays: Sequence[Array], coefs: Sequence[float]
) -> tuple[float, ...]:
    """Return the sums of a gauge over a tensor, in the order of :func:`squares`.

    Parameters
    ----------
    gauge : str
        The name of a function of this module.
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
        terms = globals()[gauge](c, *flat)
        return tuple(
            float(in_order(_sum_of(x[i : i + 2048]) for i in range(0, x.size, 2048)))
            for x in terms
        )


def _wide(*arrays: Array) -> tuple[Array, ...]:
    return tuple(a.astype(np.float64) for a in arrays)


def distance(
    c: Sequence[float], g: Array, p: Array, p0: Array
) -> tuple[Array, Array, Array]:
    """``g^2, (p - p0)^2, p^2``."""
    g, p, p0 = _wide(g, p, p0)
    return g * g, (p - p0) * (p - p0), p * p


def along_delta(
    c: Sequence[float], g: Array, p: Array, delta: Array
) -> tuple[Array, Array, Array, Array]:
    """``g delta, g^2, p^2, p delta``."""
    g, p, delta = _wide(g, p, delta)
    return g * delta, g * g, p * p, p * delta


def norm(c: Sequence[float], g: Array, p: Array) -> tuple[Array]:
    """``g^2``."""
    (g,) = _wide(g)
    return (g * g,)


def along_way(
    c: Sequence[float], g: Array, p: Array, p0: Array, s: Array
) -> tuple[Array, Array]:
    """``g (p0 - p), |b3 s + w g|``."""
    g = squarable(g)
    after = c[0] * s + c[1] * g
    g, p, p0 = _wide(g, p, p0)
    return g * (p0 - p), *_wide(np.abs(after))


def along_adam(
    c: Sequence[float], g: Array, p: Array, v: Array, s: Array
) -> tuple[Array, Array]:
    """``g s / (sqrt(v) + eps), |b3 s + w g|``."""
    g = squarable(g)
    way, after = s / (np.sqrt(v) + c[2]), c[0] * s + c[1] * g
    g, way, size = _wide(g, way, np.abs(after))
    return g * way, size


def along_sum(
    c: Sequence[float], g: Array, p: Array, s: Array
) -> tuple[Array, Array, Array]:
    """``g s, (s + w g)^2, g^2``."""
    g, s, after = _wide(g, s, s + c[0] * g)
    return g * s, after * after, g * g


def along_last(c: Sequence[float], g: Array, p: Array, g_old: Array) -> tuple[Array]:
    """``g g_old``."""
    g, g_old = _wide(g, g_old)
    return (g * g_old,)


def along_last_adam(
    c: Sequence[float], g: Array, p: Array, m: Array, v: Array
) -> tuple[Array]:
    """``g m / (sqrt(v + root) r + eps)``."""
    g, u = _wide(g, m / (np.sqrt(v + c[0]) * c[1] + c[2]))
    return (g * u,)


# --- rules ----------------------------------------------------------------------------


def sgd(c: Sequence[float], g: Array) -> Array:
    """``u = g``."""
    return g


def sgd_hd(c: Sequence[float], g: Array, g_old: Array) -> Array:
    """``u = g;  g_old = g``."""
    g_old[...] = g
    return g


def momentum(c: Sequence[float], g: Array, m: Array) -> Array:
    """``m = mu m + w g;  u = m``."""
    m[...] = c[0] * m + c[1] * summable(g)
    return m


def nesterov(c: Sequence[float], g: Array, m: Array) -> Array:
    """``m = mu m + w g;  u = x g + mu m``."""
    return c[2] * summable(g) + c[3] * momentum(c, g, m)


def sign(c: Sequence[float], g: Array) -> Array:
    """``u = sign(g)``; the sign of NaN is NaN."""
    return np.where(g > 0, 1, np.where(g < 0, -1, g)).astype(g.dtype)


def signum(c: Sequence[float], g: Array, m: Array) -> Array:
    """``m += (1-b)(g-m);  u = sign(m)``."""
    m += c[0] * (comparable(g) - m)
    return sign(c, m)


def lion(c: Sequence[float], g: Array, m: Array) -> Array:
    """``u = sign(m + (1-b1)(g-m));  m += (1-b2)(g-m)``."""
    d = comparable(g) - m
    mix = m + c[0] * d
    m += c[1] * d
    return sign(c, mix)


def adam(c: Sequence[float], g: Array, m: Array, v: Array) -> Array:
    """``m += (1-b1)(g-m);  v += (1-b2)(g^2-v);  u = m / (sqrt(v + root) r + eps)``."""
    g = squarable(g)
    m += c[0] * (g - m)
    v += c[1] * (g * g - v)
    return m / (np.sqrt(v + c[2]) * c[3] + c[4])


def amsgrad(c: Sequence[float], g: Array, m: Array, v: Array, v_max: Array) -> Array:
    """Like adam, with the largest ``x v`` so far instead of v in the denominator."""
    adam(c, g, m, v)
    now = c[5] * v
    v_max[...] = np.where(v_max > now, v_max, now)
    return m / (np.sqrt(v_max + c[2]) * c[3] + c[4])


def nadam(c: Sequence[float], g: Array, m: Array, v: Array) -> Array:
    """Like adam, with the numerator ``x g + y m``."""
    adam(c, g, m, v)
    return (c[5] * squarable(g) + c[6] * m) / (np.sqrt(v + c[2]) * c[3] + c[4])


def ademamix(c: Sequence[float], g: Array, m: Array, v: Array, m_slow: Array) -> Array:
    """Like adam, of ``m + alpha m_slow``, where ``m_slow += (1-b3)(g-m_slow)``."""
    adam(c, g, m, v)
    m_slow += c[5] * (squarable(g) - m_slow)
    return (m + c[6] * m_slow) / (np.sqrt(v + c[2]) * c[3] + c[4])


def laprop(c: Sequence[float], g: Array, m: Array, v: Array) -> Array:
    """``v += (1-b2)(g^2-v);  m += (1-b1)(g / (sqrt(v + root) r + eps) - m)``."""
    g = squarable(g)
    v += c[1] * (g * g - v)
    m += c[0] * (g / (np.sqrt(v + c[2]) * c[3] + c[4]) - m)
    return m


def adabelief(c: Sequence[float], g: Array, m: Array, v: Array) -> Array:
    """Like adam, with ``v += (1-b2)((g-m)^2-v) + grow``."""
    g = squarable(g)
    m += c[0] * (g - m)
    surprise = g - m
    v += c[1] * (surprise * surprise - v)
    v += c[5]
    return m / (np.sqrt(v + c[2]) * c[3] + c[4])


def yogi(c: Sequence[float], g: Array, m: Array, v: Array) -> Array:
    """Like adam, with ``v += (1-b2) sign(g^2-v) g^2``."""
    g = squarable(g)
    m += c[0] * (g - m)
    square = g * g
    v += c[1] * (sign(c, square - v) * square)
    return m / (np.sqrt(v + c[2]) * c[3] + c[4])


def adamax(c: Sequence[float], g: Array, m: Array, n: Array) -> Array:
    """``m += (1-b1)(g-m);  n = max(b2 n, |g| + eps);  u = m / (n + outside)``."""
    g = comparable(g)
    m += c[0] * (g - m)
    old, new = c[1] * n, np.abs(g) + c[2]
    n[...] = np.where(old > new, old, new)
    return m / (n + c[3])


def adan(
    c: Sequence[float], g: Array, m: Array, d: Array, n: Array, g_old: Array
) -> Array:
    """``e = again (g-g_old);  u = (m + y d) / (sqrt(n) r + eps)``.

    m, d and n are the running means of g, e and ``(g + b2 e)^2``.
    """
    g = squarable(g)
    e = c[3] * (g - g_old)
    ahead = g + c[4] * e
    m += c[0] * (g - m)
    d += c[1] * (e - d)
    n += c[2] * (ahead * ahead - n)
    g_old[...] = g
    return (m + c[5] * d) / (np.sqrt(n) * c[6] + c[7])


def adopt(c: Sequence[float], g: Array, m: Array, v: Array) -> Array:
    """``x = g / max(sqrt(v), eps)`` within +-most;  ``m += (1-b1)(x-m);  u = m``.

    v, the running mean of g^2, is updated after its use.
    """
    g = squarable(g)
    root = np.sqrt(v)
    x = within(g / np.where(root < c[2], c[2], root), c[3])
    m += c[0] * (x - m)
    v += c[1] * (g * g - v)
    return m


def rprop(c: Sequence[float], g: Array, g_old: Array, d: Array) -> Array:
    """``d *= eta+, eta- or 1``, by the sign of g g_old;  ``u = sign(g) d``.

    Where the sign of g has changed, g counts as 0.
    """
    agree = g * g_old
    factor = np.where(agree > 0, c[3], np.where(agree < 0, c[2], 1))
    new = (c[0] + c[1] * d) * factor
    new = np.where(new < c[4], c[4], new)
    d[...] = np.where(new > c[5], c[5], new)
    g_old[...] = np.where(agree < 0, 0, g)
    return np.where(g_old > 0, d, np.where(g_old < 0, -d, g_old))


def adagrad(c: Sequence[float], g: Array, a: Array) -> Array:
    """``a += g^2;  u = g / (sqrt(a + root) + eps)``."""
    g = squarable(g)
    a[...] = capped(a + g * g)
    return g / (np.sqrt(a + c[0]) + c[1])


def rmsprop(c: Sequence[float], g: Array, v: Array) -> Array:
    """``v += (1-a)(g^2-v);  u = g / (sqrt(v + root) + eps)``."""
    g = squarable(g)
    v += c[0] * (g * g - v)
    return g / (np.sqrt(v + c[1]) + c[2])


def rmsprop_centered(c: Sequence[float], g: Array, v: Array, mg: Array) -> Array:
    """Like rmsprop, with ``mg += (1-a)(g-mg)`` and ``v - mg^2`` instead of v."""
    g = squarable(g)
    v += c[0] * (g * g - v)
    mg += c[0] * (g - mg)
    variance = v - mg * mg
    return g / (np.sqrt(np.where(variance < 0, 0, variance) + c[1]) + c[2])


def rmsprop_momentum(c: Sequence[float], g: Array, v: Array, m: Array) -> Array:
    """``m = mu m + w rmsprop;  u = m``."""
    m[...] = c[3] * m + c[4] * rmsprop(c, g, v)
    return m


def rmsprop_centered_momentum(
    c: Sequence[float], g: Array, v: Array, mg: Array, m: Array
) -> Array:
    """``m = mu m + w rmsprop_centered;  u = m``."""
    m[...] = c[3] * m + c[4] * rmsprop_centered(c, g, v, mg)
    return m


def adadelta(c: Sequence[float], g: Array, v: Array, d: Array) -> Array:
    """``v += (1-rho)(g^2-v);  u = sqrt((d+eps)/(v+eps)) g;  d += (1-rho)(u^2-d)``."""
    g = squarable(g)
    v += c[0] * (g * g - v)
    u = np.sqrt((d + c[1]) / (v + c[1])) * g
    d += c[0] * (u * u - d)
    return u


def ftrl(c: Sequence[float], g: Array, n: Array, z: Array, p: Array) -> Array:
    """``z += g - (sqrt(n + g^2) - sqrt(n)) / alpha p;  n += g^2``; u is the new p.

    g is multiplied by w first, which is 0 in a step whose lr is 0.
    """
    old = np.sqrt(n)
    g = c[4] * squarable(g)
    n[...] = capped(n + g * g)
    root = np.sqrt(n)
    sigma = within((root - old) * c[0], largest(g))
    z[...] = within(z + (g - sigma * (c[3] * p)), largest(g))
    under = root * c[0] + c[1]
    u = (np.where(z < 0, -c[2], c[2]) - z) / under
    return np.where((np.abs(z) <= c[2]) | (under == 0), 0, u)


def madgrad(c: Sequence[float], g: Array, s: Array, v: Array, p0: Array) -> Array:
    """``s += w g;  v += w g^2;  u = p0 - s / (cbrt(v) + eps)``."""
    g = squarable(g)
    s += c[0] * g
    v[...] = capped(v + c[0] * (g * g))
    return p0 - s / (_cbrt(v) + c[1])


def prodigy(c: Sequence[float], g: Array, m: Array, v: Array, s: Array) -> Array:
    """Like adam, with ``x = b g`` in v and ``a x`` in m;  ``s = b3 s + w g``."""
    g = squarable(g)
    x = within(c[3] * g, most_squarable(g))
    m += c[0] * (c[2] * x - m)
    v += c[1] * (x * x - v)
    s[...] = saturated(c[4] * s + c[5] * g, g)
    return m / (np.sqrt(v) + c[6])


def dadapt_sgd(c: Sequence[float], g: Array, s: Array, p0: Array) -> Array:
    """``s += w g;  u = p0 - s``."""
    s[...] = saturated(s + c[0] * g, g)
    return within(p0 - s, largest(s))


def schedule_free(c: Sequence[float], g: Array, z: Array, p: Array) -> Array:
    """``e = lr g + w p;  u = c (p - z) + share e;  z -= e``."""
    e = saturated(c[2] * g + c[3] * p, g)
    apart = within(p - z, largest(z))
    z[...] = within(z - e, largest(z))
    return within(c[0] * apart + c[1] * e, largest(z))


def schedule_free_adam(
    c: Sequence[float], g: Array, z: Array, v: Array, p: Array
) -> Array:
    """Like schedule_free, of ``g / (sqrt(v) r + eps)`` with ``v += (1-b2)(g^2-v)``."""
    g = squarable(g)
    v += c[4] * (g * g - v)
    return schedule_free(c, g / (np.sqrt(v) * c[5] + c[6]), z, p)


def _cbrt(v: Array) -> Array:
    """Return the cube root, by Newton's method for v^(-1/3).

    The first guess divides the exponent of v by -3: see src_c/rules/madgrad.h.
    """
    real = v.dtype.type
    single = v.dtype == np.float32
    bits: Any = np.uint32 if single else np.uint64
    start, steps = (0x54A2FA8C, 3) if single else (0x553EF0FF289DD796, 4)
    i: Any = np.atleast_1d(v).view(bits) >> bits(2)
    for shift in (2, 4, 8):
        i = i + (i >> bits(shift))
    y: Array = (bits(start) - i).view(v.dtype).reshape(v.shape)
    for _ in range(steps):
        y = y * (real(4 / 3) - (v * y) * (y * y) * real(1 / 3))
    return v * y * y
