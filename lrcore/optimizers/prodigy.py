"""Prodigy: Adam at a rate that follows the distance to the solution."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, sqrt
from typing import Literal

from lrcore._shared.domains import FLAG, FRACTION, POSITIVE
from lrcore.optimizers.adaptation import (
    BIAS_CORRECTION,
    D0,
    GROWTH_RATE,
    LR_FACTOR,
    correction_of,
)
from lrcore.optimizers.base.common import BETAS, DECOUPLED, DECOUPLES, EPS
from lrcore.optimizers.base.fields import (
    KW_ONLY,
    Bound,
    Field,
    Fixed,
    Flag,
    Number,
    Pair,
)
from lrcore.optimizers.base.fold import Adapt, GaugeCoefs, Numbers, decay_at
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["Prodigy"]


class Prodigy(Optimizer):
    """Prodigy: Adam at a rate that follows an estimated distance to the solution.

    ::

        rate = lr d,  bias-corrected if use_bias_correction
        n = b3 n + rate d / d0 g.(p0 - p)
        s = b3 s + rate d / d0 g
        m = b1 m + (1 - b1) d g
        v = b2 v + (1 - b2) (d g)^2
        d = max(d, d_coef n / |s|_1)
        p = p - rate m / (sqrt(v) + d eps)

    where products and norms are over all arrays of a group, p0 is the initial p, and
    rate and d on the right are those before this step.  ``opt.state[0]["d"]`` is d.

    {parameters}

    References
    ----------
    Mishchenko & Defazio 2024, "Prodigy: an expeditiously adaptive parameter-free
    learner", Algorithm 4.  Other details are those of the authors' code, except that
    there all groups share one d.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.array([3.0, -4.0])
    >>> opt = lrcore.Prodigy(p)
    >>> for _ in range(300):
    ...     _ = opt.step(2 * p)
    >>> abs(p).max() < 0.1, opt.state[0]["d"] > 0.1
    (np.True_, np.True_)
    """

    __slots__ = ()
    _rule = "prodigy"
    _gauge = "along_way"
    _carries = ("d", "d_max", "numerator")
    _nonnegative = ("d", "d_max")

    lr: Number = LR_FACTOR
    betas: Pair = BETAS
    beta3: Bound = Field(
        None, FRACTION.or_none(), "Decay of n and s; None: the root of b2."
    )
    eps: Number = EPS.but(domain=POSITIVE)
    weight_decay: Number = DECOUPLED
    d0: Fixed = D0
    d_coef: Number = Field(1.0, POSITIVE, "Multiplies the estimate.  Tune this first.")
    growth_rate: Number = GROWTH_RATE
    _: KW_ONLY
    use_bias_correction: Flag = BIAS_CORRECTION
    safeguard_warmup: Flag = Field(
        False, FLAG, "Leave lr out of the sum s, for a long warm-up."
    )
    decoupled_weight_decay: Flag = DECOUPLES

    @staticmethod
    def _initial(h: Hyper) -> Mapping[str, float | Literal["p"]]:
        return {"p0": "p", "d": h["d0"], "d_max": h["d0"]}

    @staticmethod
    def _fold_gauge(h: Hyper) -> GaugeCoefs:
        d0, safe = h["d0"], h["safeguard_warmup"]
        b3 = sqrt(h["betas"][1]) if h["beta3"] is None else h["beta3"]
        correction = correction_of(h)

        def coefs(t: int, lr: float, carried: Numbers) -> Numbers:
            d = carried[0]
            return b3, d / d0 * d * (1.0 if safe else lr * correction(t))

        return coefs

    @staticmethod
    def _fold(h: Hyper) -> Adapt:
        (b1, b2), eps, d0, d_coef = h["betas"], h["eps"], h["d0"], h["d_coef"]
        growth, decay_by, gauge = h["growth_rate"], decay_at(h), Prodigy._fold_gauge(h)
        correction, w1, w2 = correction_of(h), 1 - b1, 1 - b2

        def coefs(
            t: int, lr: float, decay: float, carried: Numbers, sums: Numbers
        ) -> tuple[Numbers, Numbers, float]:
            (old, d_max, numerator), (along, size) = carried, sums
            b3, w = gauge(t, lr, carried)
            rate = old * lr * correction(t)
            numerator = b3 * numerator + old / d0 * rate * along
            d = old
            if lr > 0 and size > 0:
                # Conditions: min and max take as long as all the rest.
                found = d_coef * numerator / size
                if d == d0 and found > d:
                    d = found
                d_max = found if found > d_max else d_max
                d = d * growth if d * growth < d_max else d_max
            if isfinite(d + d_max + numerator + along + size):
                carried = d, d_max, numerator
            eps_now = carried[0] * eps
            numbers = (decay_by(rate), rate, w1, w2, 1.0, old, b3, w, eps_now)
            return carried, numbers, rate

        return coefs
