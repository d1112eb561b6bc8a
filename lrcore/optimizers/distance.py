"""Learning rates from the distance to the initial params: DoG, L-DoG, DoWG."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Literal

from lrcore._shared.bounds import LARGEST_RATE, finite
from lrcore._shared.domains import POSITIVE
from lrcore.optimizers.base.common import COUPLED, EPS, LR
from lrcore.optimizers.base.fields import Field, Number
from lrcore.optimizers.base.fold import Adapt, Numbers, decay_at
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["DoG", "DoWG", "LDoG"]


class Distance(Optimizer):
    """Optimizers whose rate is made from the distance to the initial params."""

    __slots__ = ()
    _rule = "sgd"
    _gauge = "distance"

    lr: Number = LR.but(1.0, doc="Multiplies the estimated rate.")

    @staticmethod
    def _initial(h: Hyper) -> Mapping[str, float | Literal["p"]]:
        return {"p0": "p"}


class DoG(Distance):
    """DoG: gradient descent at a rate of distance over gradients.

    ::

        r = max(r, |p - p0|),   r = reps_rel (1 + |p0|) at first
        G = G + |g|^2
        p = p - lr r / sqrt(G + eps) g

    where norms are over all arrays of a group, and p0 is the initial p.  The authors
    advise using an average of the params: `ema_decay`.

    {parameters}

    References
    ----------
    Ivgi, Hinder & Carmon 2023, "DoG is SGD's best friend: a parameter-free dynamic step
    size schedule", eq. 2 and section 4.1.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.array([3.0, -4.0])
    >>> opt = lrcore.DoG(p)
    >>> for _ in range(200):
    ...     _ = opt.step(2 * p)
    >>> abs(p).max() < 0.01
    np.True_
    """

    __slots__ = ()
    _carries = _nonnegative = ("max_distance", "sum_of_squares")

    reps_rel: Number = Field(
        1e-6,
        POSITIVE,
        "First distance, relative to ``1 + |p0|``.  It must be safe as a first step; "
        "use 1e-4 with batch normalisation.",
    )
    eps: Number = EPS.but(doc="Added to G, in units of ``|g|^2``.")
    weight_decay: Number = COUPLED

    @staticmethod
    def _fold(h: Hyper) -> Adapt:
        reps_rel, eps, decay_by = h["reps_rel"], h["eps"], decay_at(h)

        def coefs(
            t: int, lr: float, decay: float, carried: Numbers, sums: Numbers
        ) -> tuple[Numbers, Numbers, float]:
            (distance, total), (gg, rr, pp) = carried, sums
            distance = max(distance or reps_rel * (1 + sqrt(pp)), sqrt(rr))
            total += gg
            if not finite(distance, total, *sums):
                return carried, (decay_by(0.0), 0.0), 0.0
            root = sqrt(total + eps)
            rate = min(lr * distance / root, LARGEST_RATE) if root else 0.0
            return (distance, total), (decay_by(rate), rate), rate

        return coefs


class LDoG(DoG):
    """L-DoG: DoG with norms, and so a rate, for each array.

    {parameters}

    References
    ----------
    Ivgi, Hinder & Carmon 2023, section 4.1.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> params = [np.array([3.0]), np.array([-400.0])]
    >>> opt = lrcore.LDoG(params)
    >>> for _ in range(200):
    ...     _ = opt.step([2 * p for p in params])
    >>> max(abs(p[0]) for p in params) < 1
    np.True_
    """

    __slots__ = ()
    _carries_per_array = True


class DoWG(Distance):
    """DoWG: DoG with each gradient weighted by the distance at its step.

    ::

        r2 = max(r2, |p - p0|^2),   r2 = eps at first
        v = v + r2 |g|^2
        p = p - lr r2 / (sqrt(v) + eps) g

    where norms are over all arrays of a group, and p0 is the initial p.

    {parameters}

    References
    ----------
    Khaled, Mishchenko & Jin 2023, "DoWG unleashed: an efficient universal
    parameter-free gradient descent method", Algorithm 1.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.array([3.0, -4.0])
    >>> opt = lrcore.DoWG(p)
    >>> all(opt.step(2 * p) for _ in range(200)), abs(p).max() < 0.01
    (True, np.True_)
    """

    __slots__ = ()
    _carries = _nonnegative = ("max_distance2", "weighted_sum")

    eps: Number = Field(
        1e-4, POSITIVE, "The first squared distance; it is also added to the root."
    )
    weight_decay: Number = COUPLED

    @staticmethod
    def _fold(h: Hyper) -> Adapt:
        eps, decay_by = h["eps"], decay_at(h)

        def coefs(
            t: int, lr: float, decay: float, carried: Numbers, sums: Numbers
        ) -> tuple[Numbers, Numbers, float]:
            (distance2, total), (gg, rr, _) = carried, sums
            distance2 = max(distance2 or eps, rr)
            total += distance2 * gg
            if not finite(total, *sums):
                return carried, (decay_by(0.0), 0.0), 0.0
            rate = lr * distance2 / (sqrt(total) + eps)
            return (distance2, total), (decay_by(rate), rate), rate

        return coefs
