"""Dual averaging: each step computes the parameters from sums over all gradients."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Literal

from lrcore._shared.bounds import LARGEST_RATE
from lrcore._shared.domains import FLAG, FRACTION, NONNEGATIVE
from lrcore.optimizers.base.common import COUPLED, EPS, LR
from lrcore.optimizers.base.fields import KW_ONLY, Field, Fixed, Flag, Number
from lrcore.optimizers.base.fold import Coefs, Decay
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["FTRL", "MADGRAD"]


class FTRL(Optimizer):
    """FTRL-Proximal (follow the regularised leader): l1 makes weights exactly 0.

    ::

        z = z + g - (sqrt(n + g^2) - sqrt(n)) / lr p
        n = n + g^2
        p = 0                                                     where |z| <= l1
        p = (sign(z) l1 - z) / ((beta + sqrt(n)) / lr + l2)       elsewhere

    It is for linear models.  p is computed from z and n only, so the first step
    replaces the initial p; but a network needs its random initial weights, which break
    the symmetry of its units.

    {parameters}

    Here ``l2`` is the strength of a penalty on half the sum of squares: it is a term of
    the equation of p, and is not added to the gradient.

    References
    ----------
    McMahan et al. 2013, "Ad click prediction: a view from the trenches", Algorithm 1.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(2)
    >>> lrcore.FTRL(p, lr=0.5, beta=0.0, l1=1.0).step(np.array([3.0, 0.5]))
    True
    >>> p.round(6)
    array([-0.333333,  0.      ])
    """

    __slots__ = ()
    _rule = "ftrl"
    _steps = False
    _conventions = ("keras", "paper")

    lr: Number = LR.but(
        0.1,
        doc="Learning rate, the paper's alpha.  A step with rate 0 does not "
        "change p, n or z.",
        keras=1e-3,
    )
    beta: Number = Field(1.0, NONNEGATIVE, "Makes the first steps smaller.", keras=0.0)
    l1: Number = Field(0.0, NONNEGATIVE, "Strength of the L1 penalty.")
    initial_accumulator_value: Fixed = Field(
        0.0,
        NONNEGATIVE,
        "Initial value of n, in units of g^2.",
        initial=True,
        keras=0.1,
    )
    weight_decay: Number = COUPLED
    _: KW_ONLY
    double_l2: Flag = Field(False, FLAG, "Count l2 twice, as Keras does.", keras=True)
    decoupled_weight_decay: Flag = Optimizer.decoupled_weight_decay.but(keras=True)

    @staticmethod
    def _initial(h: Hyper) -> Mapping[str, float | Literal["p"]]:
        return {"n": h["initial_accumulator_value"]}

    @staticmethod
    def _decay(h: Hyper) -> tuple[float, Decay]:
        return Optimizer._decay({**h, "l2": 0.0})

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        beta, l1, l2 = h["beta"], h["l1"], h["l2"] * (1 + h["double_l2"])

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            if lr == 0:
                return decay, 0.0, 0.0, 1.0, l1, decay, 0.0
            lr = max(lr, 1 / LARGEST_RATE)  # so that 1 / lr is in range
            return 0.0, -1.0, 1 / lr, beta / lr + l2, l1, decay, 1.0

        return coefs


class MADGRAD(Optimizer):
    """MADGRAD: adaptive dual averaging with momentum, divided by a cube root.

    ::

        w = (lr + eps) sqrt(t)
        s = s + w g
        v = v + w g^2
        z = p0 - s / (cbrt(v) + eps)
        p = momentum p + (1 - momentum) z

    where p0 is the initial p.  A step with lr = 0 does not change p, s or v.

    {parameters}

    References
    ----------
    Defazio & Jelassi 2022, "A momentumized, adaptive, dual averaged gradient method for
    stochastic optimization", Algorithm 1, with eps as in the authors' code.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(2)
    >>> opt = lrcore.MADGRAD(p, lr=0.1, momentum=0.0)
    >>> opt.step(np.array([1.0, -1.0])), p.round(4)
    (True, array([-0.2154,  0.2154]))
    """

    __slots__ = ()
    _rule = "madgrad"
    _steps = False

    lr: Number = LR.but(1e-2)
    momentum: Number = Field(0.9, FRACTION, "Weight of the old p in the new p.")
    weight_decay: Number = COUPLED
    eps: Number = EPS.but(1e-6, doc="Added to lr and to the cube root.")

    @staticmethod
    def _initial(h: Hyper) -> Mapping[str, float | Literal["p"]]:
        return {"p0": "p"}

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        mu, eps = h["momentum"], h["eps"]

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            if lr == 0:
                return decay, 0.0, 0.0, 1.0
            return mu * decay, mu - 1, (lr + eps) * sqrt(t), eps

        return coefs
