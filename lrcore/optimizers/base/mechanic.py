"""Mechanic for any optimizer: it learns the scale of the steps.

If the rule moves p by -u, with sums over all arrays of a group, for each of six beta::

    keep = s / (s + eps)
    h = keep (g.delta + decay s |g| / (|p| + eps) p.delta)
    r = beta r + s_beta max(-m, min(h, m))
    m = max(beta m, |h| + eps);   v = beta^2 v + h^2
    s_beta = (s_init / 6 m + max(r, 0)) / (sqrt(v) + eps);   s = sum of all s_beta
    delta = keep delta + u;   p = p0 - s delta

The sign of h tells if the path so far was right.  Algorithm 1 of Cutkosky, Defazio &
Mehta 2023, with the bounds of h and with keep as in optax.
"""

from __future__ import annotations

import numpy as np

from lrcore._core import Tune
from lrcore._shared.types import Array
from lrcore.optimizers.base.keywords import Hyper

BETAS = tuple(1 - 10.0**-k for k in range(1, 7))
"""The decay of each of the scales; s is their sum."""

EPS = 1e-8

NEVER_NEGATIVE = (0, 2, 3)
"""The rows of the carried numbers (see `begin`) that no step makes negative."""


def begin(h: Hyper) -> Array:
    """Return the carried numbers of a group: one row each for s, r, m and v."""
    carried = np.zeros((4, len(BETAS)))
    carried[0] = h["mechanic_s_init"] / len(BETAS)
    return carried.view()


def fold(h: Hyper) -> Tune:
    """Return the function for the numbers of a step."""
    return Tune(h["mechanic_s_init"] / len(BETAS), h["mechanic_decay"], EPS, BETAS)
