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

import numpy as np

from lrcore._core import Tune
from lrcore._shared.types import Array
from lrcore.optimizers.base.keywords import Hyper

BETAS = tuple(1 - 10.0**-k for k in range(1, 7))
"""How long the scales of which s is the sum remember."""

EPS = 1e-8


def begin(h: Hyper) -> Array:
    """Return what a group carries: a row each of s, r, m and v."""
    carried = np.zeros((4, len(BETAS)))
    carried[0] = h["mechanic_s_init"] / len(BETAS)
    return carried.view()


def fold(h: Hyper) -> Tune:
    """Return what makes a step's numbers."""
    return Tune(h["mechanic_s_init"] / len(BETAS), h["mechanic_decay"], EPS, BETAS)
