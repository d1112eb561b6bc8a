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

from collections.abc import Callable
from math import sqrt

import numpy as np

from lrcore._bounds import finite
from lrcore._sums import in_order
from lrcore._typing import Array
from lrcore.optimizers.base.fold import Numbers
from lrcore.optimizers.base.keywords import Hyper

BETAS = tuple(1 - 10.0**-k for k in range(1, 7))
"""How long the scales of which s is the sum remember."""

EPS = 1e-8

Tune = Callable[[Array, Numbers], tuple[Array, Numbers]]
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

    def tune(carried: Array, sums: Numbers) -> tuple[Array, Numbers]:
        along, gg, pp, along_p = sums
        old = carried.tolist()
        before = in_order(old[0])
        keep = before / (before + EPS)
        weight = decay * before * sqrt(gg) / (sqrt(pp) + EPS)
        h = keep * (along + weight * along_p)
        new = []
        for beta, s, r, m, v in zip(BETAS, *old, strict=True):
            r = beta * r + max(-m, min(h, m)) * s
            m = max(beta * m, abs(h) + EPS)
            v = beta * beta * v + h * h
            new.append(((least * m + max(r, 0.0)) / (sqrt(v) + EPS), r, m, v))
        rows = [*zip(*new, strict=True)]
        if not finite(h, *(x for row in rows for x in row)):
            return carried.copy(), (keep, before, before)
        return np.array(rows), (keep, before, in_order(rows[0]))

    return tune
