"""Mechanic beside any optimizer: the scale of its steps, learned.

Where the rule moves p by -u, and with sums over all arrays of a group, for six beta::

    keep = s / (s + eps)
    h = keep (g.delta + decay s |g| / (|p| + eps) p.delta)
    r = beta r + s_beta max(-m, min(h, m))
    m = max(beta m, |h| + eps);   v = beta^2 v + h^2
    s_beta = (s_init / 6 m + max(r, 0)) / (sqrt(v) + eps);   s = sum of all s_beta
    delta = keep delta + u;   p = p0 - s delta

h says whether the way so far was right.  Algorithm 1 of Cutkosky, Defazio & Mehta 2023,
with the bounds of h and with keep as in optax.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, sqrt

import numpy as np

from lrcore._shared.sums import in_order
from lrcore._shared.types import Array
from lrcore.optimizers.base.fold import Numbers
from lrcore.optimizers.base.keywords import Hyper

BETAS = tuple(1 - 10.0**-k for k in range(1, 7))
"""How long the scales of which s is the sum remember."""

SQUARES = tuple(beta * beta for beta in BETAS)

EPS = 1e-8

Tune = Callable[[Array, Numbers], tuple[list[Sequence[float]], Numbers]]
"""From what is carried and the gauge's sums to what is carried on, and to the numbers
of the driver's stage: what is kept of delta, s before and s now."""


def begin(h: Hyper) -> Array:
    """Return what a group carries: a row each of s, r, m and v."""
    carried = np.zeros((4, len(BETAS)))
    carried[0] = h["mechanic_s_init"] / len(BETAS)
    return carried.view()


def fold(h: Hyper) -> Tune:
    """Return what makes a step's numbers."""
    least, decay = h["mechanic_s_init"] / len(BETAS), h["mechanic_decay"]

    def tune(carried: Array, sums: Numbers) -> tuple[list[Sequence[float]], Numbers]:
        along, gg, pp, along_p = sums
        old = carried.tolist()
        before = in_order(old[0])
        keep = before / (before + EPS)
        weight = decay * before * sqrt(gg) / (sqrt(pp) + EPS)
        h = keep * (along + weight * along_p)
        size, square = abs(h) + EPS, h * h
        new, now, all_of_them = [], 0.0, square
        for beta, squared, s, r, m, v in zip(BETAS, SQUARES, *old, strict=True):
            r = beta * r + (m if h > m else -m if h < -m else h) * s
            m = beta * m
            m = m if m >= size else size
            v = squared * v + square
            s = (least * m + (r if r > 0.0 else 0.0)) / (sqrt(v) + EPS)
            now += s
            all_of_them += s + r + m + v
            new.append((s, r, m, v))
        if not isfinite(all_of_them):
            return old, (keep, before, before)
        return [*zip(*new, strict=True)], (keep, before, now)

    return tune
