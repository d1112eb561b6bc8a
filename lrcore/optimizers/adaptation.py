"""D-Adaptation: rates from a lower bound of the distance to the solution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, sqrt
from typing import Literal

from lrcore._shared.bounds import LARGEST_RATE, finite
from lrcore._shared.domains import FLAG, FRACTION, FROM_ONE, POSITIVE
from lrcore.optimizers.base import averages as _average
from lrcore.optimizers.base.common import BETAS, COUPLED, EPS, LR
from lrcore.optimizers.base.fields import KW_ONLY, Field, Fixed, Flag, Number, Pair
from lrcore.optimizers.base.fold import Adapt, GaugeCoefs, Numbers, decay_at
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["DAdaptAdam", "DAdaptSGD"]

LR_FACTOR: Number = LR.but(
    1.0, doc="Multiplies the estimated rate; a schedule goes from 1 to 0."
)
D0: Fixed = Field(
    1e-6,
    POSITIVE,
    "First estimate of the distance; it should be too small.",
    initial=True,
)
GROWTH_RATE: Number = Field(
    inf,
    FROM_ONE,
    "Largest factor by which the estimate grows in a step; 1.02 warms up: to a "
    "million times d0 in 700 steps.",
)
BIAS_CORRECTION: Flag = Field(
    False, FLAG, "Multiply the rate by Adam's bias correction."
)


def correction_of(h: Hyper) -> Callable[[int], float]:
    """Return the function from t to Adam's bias correction, a factor of the rate."""
    b1, b2 = h["betas"]
    if not h["use_bias_correction"]:
        return lambda t: 1.0
    return lambda t: sqrt(1 - b2**t) / (1 - b1**t)


def _kept(new: Numbers, old: Numbers, sums: Numbers) -> Numbers:
    """Return the numbers to carry on: `old` if a number is not finite."""
    return new if finite(*new, *sums) else old


def _over(d: float, norm: float) -> float:
    """Return D-Adaptation's rate; 0 if the norm is 0 or not finite."""
    return min(d / norm, LARGEST_RATE) if 0 < norm < inf else 0.0


class DAdaptAdam(Optimizer):
    """D-Adaptation of Adam: its rate follows a lower bound of the distance to go.

    ::

        rate = lr d,  bias-corrected if use_bias_correction
        n = b n + (1 - b) rate g.(s / (sqrt(v) + eps)),   b = sqrt(b2)
        s = b s + (1 - b) rate g
        m = b1 m + (1 - b1) rate g
        v = b2 v + (1 - b2) g^2
        d = max(d, n / ((1 - b) |s|_1))
        p = p - m / (sqrt(v) + eps)

    where products and norms are over all arrays of a group, and n uses v from before
    this step.  ``opt.state[0]["d"]`` is d.

    {parameters}

    References
    ----------
    Defazio & Mishchenko 2023, "Learning-rate-free learning by D-adaptation",
    Algorithm 5, as in the authors' code, except that there all groups share one d.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.array([3.0, -4.0])
    >>> opt = lrcore.DAdaptAdam(p)
    >>> all(opt.step(2 * p) for _ in range(300)), abs(p).max() < 0.1
    (True, np.True_)
    """

    __slots__ = ()
    _rule = "prodigy"
    _gauge = "along_adam"
    _carries = ("d", "numerator")
    _nonnegative = ("d",)

    lr: Number = LR_FACTOR
    betas: Pair = BETAS
    eps: Number = EPS.but(domain=POSITIVE)
    weight_decay: Number = COUPLED
    d0: Fixed = D0
    growth_rate: Number = GROWTH_RATE
    _: KW_ONLY
    use_bias_correction: Flag = BIAS_CORRECTION

    @staticmethod
    def _initial(h: Hyper) -> Mapping[str, float | Literal["p"]]:
        return {"d": h["d0"]}

    @staticmethod
    def _fold_gauge(h: Hyper) -> GaugeCoefs:
        b, eps, correction = sqrt(h["betas"][1]), h["eps"], correction_of(h)

        def coefs(t: int, lr: float, carried: Numbers) -> Numbers:
            return b, carried[0] * lr * correction(t) * (1 - b), eps

        return coefs

    @staticmethod
    def _fold(h: Hyper) -> Adapt:
        (b1, b2), growth, decay_by = h["betas"], h["growth_rate"], decay_at(h)
        gauge, correction = DAdaptAdam._fold_gauge(h), correction_of(h)

        def coefs(
            t: int, lr: float, decay: float, carried: Numbers, sums: Numbers
        ) -> tuple[Numbers, Numbers, float]:
            (d, numerator), (along, size) = carried, sums
            b, w, eps = gauge(t, lr, carried)
            rate = d * lr * correction(t)
            numerator = b * numerator + (1 - b) * rate * along
            numbers = (decay_by(rate), 1.0, 1 - b1, 1 - b2, rate, 1.0, b, w, eps)
            if lr > 0 and size > 0:
                d = max(d, min(numerator / ((1 - b) * size), d * growth))
            return _kept((d, numerator), carried, sums), numbers, rate

        return coefs


class DAdaptSGD(Optimizer):
    """D-Adaptation of SGD: dual averaging, by a lower bound of the distance to go.

    ::

        rate = lr d / |g_1|,  g_1 the first gradient
        n = n + rate g.s
        s = s + rate g
        d = max(d, 2 n / |s|)
        p = momentum p + (1 - momentum) (p0 - s)

    where products and norms are over all arrays of a group, and p0 is the initial p.
    ``opt.state[0]["d"]`` is d.  Decoupled weight decay and Lookahead are refused.

    {parameters}

    References
    ----------
    Defazio & Mishchenko 2023, "Learning-rate-free learning by D-adaptation",
    Algorithm 4, as in the authors' code, except that there all groups share one d.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.full(5, 2.0)
    >>> opt = lrcore.DAdaptSGD(p)
    >>> steps = [opt.step(2 * p) for _ in range(300)]
    >>> all(steps), p.max() < 0.1, opt.state[0]["d"] > 0.1
    (True, np.True_, np.True_)
    """

    __slots__ = ()
    _gauge = "along_sum"
    _carries = ("d", "numerator", "first_norm")
    _nonnegative = ("d", "first_norm")

    lr: Number = LR_FACTOR
    momentum: Number = Field(0.0, FRACTION, "Weight of the old p in the new p.")
    weight_decay: Number = COUPLED
    d0: Fixed = D0
    growth_rate: Number = GROWTH_RATE

    @classmethod
    def _rule_for(cls, h: Hyper) -> str:
        if h["decoupled_weight_decay"]:
            raise ValueError(
                "decoupled_weight_decay: expected False for DAdaptSGD, which makes p "
                "anew from p0 and s in each step, found True"
            )
        return "dadapt_sgd"

    @staticmethod
    def _averages(h: Hyper) -> Mapping[str, _average.Weight]:
        return _average.common_but_lookahead(h, "DAdaptSGD")

    @staticmethod
    def _initial(h: Hyper) -> Mapping[str, float | Literal["p"]]:
        return {"p0": "p", "d": h["d0"]}

    @staticmethod
    def _fold_gauge(h: Hyper) -> GaugeCoefs:
        def coefs(t: int, lr: float, carried: Numbers) -> Numbers:
            d, _, norm = carried
            return (_over(d * lr, norm),)

        return coefs

    @staticmethod
    def _fold(h: Hyper) -> Adapt:
        mu, growth = h["momentum"], h["growth_rate"]

        def coefs(
            t: int, lr: float, decay: float, carried: Numbers, sums: Numbers
        ) -> tuple[Numbers, Numbers, float]:
            (d, numerator, norm), (along, size2, gg) = carried, sums
            first = norm == 0
            norm = norm or sqrt(gg)
            rate = _over(d * lr, norm)
            size = rate * sqrt(gg) if first else sqrt(size2)
            numerator += rate * along
            if lr > 0 and size > 0:
                d = max(d, min(2 * numerator / size, d * growth))
            carried = _kept((d, numerator, norm), carried, sums)
            return carried, (*((mu, mu - 1) if lr > 0 else (1.0, 0.0)), rate), rate

        return coefs
