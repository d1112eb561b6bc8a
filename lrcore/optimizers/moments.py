"""Variants of Adam with another second moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from lrcore._shared.domains import NONNEGATIVE
from lrcore.optimizers.adam import AdamFlags, fold_adam
from lrcore.optimizers.base.common import BETAS, DECOUPLED, DECOUPLES, EPS, LR
from lrcore.optimizers.base.fields import (
    KW_ONLY,
    Field,
    Fixed,
    Flag,
    Number,
    Pair,
)
from lrcore.optimizers.base.fold import Coefs
from lrcore.optimizers.base.keywords import Hyper

__all__ = ["AdaBelief", "Yogi"]


class AdaBelief(AdamFlags):
    """AdaBelief: Adam whose steps are large if gradients are near their running mean.

    ::

        m = b1 m + (1 - b1) g
        v = b2 v + (1 - b2) (g - m)^2 + eps
        p = p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)

    {parameters}

    References
    ----------
    Zhuang et al. 2020, "AdaBelief optimizer: adapting stepsizes by the belief in
    observed gradients", Algorithm 2.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(1)
    >>> opt = lrcore.AdaBelief(p, lr=0.1)
    >>> opt.step(np.array([1.0])), opt.step(np.array([1.0]))
    (True, True)
    >>> p.round(4)
    array([-0.2279])
    """

    __slots__ = ()
    _rule = "adabelief"
    _conventions = ("optax", "paper")

    lr: Number = LR.but(
        doc="Learning rate: about the largest change of a weight in a step."
    )
    betas: Pair = BETAS.but(doc="Decay of the running means of g and of (g - m)^2.")
    eps: Number = EPS.but(1e-16, doc="Added to v in each step, and to its root.")
    weight_decay: Number = DECOUPLED
    _: KW_ONLY
    decoupled_weight_decay: Flag = DECOUPLES

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        fold, eps = fold_adam(h), h["eps"]
        return lambda t, lr, decay: (*fold(t, lr, decay), eps)


class Yogi(AdamFlags):
    """Yogi: Adam whose v changes by at most (1 - b2) g^2 in a step.

    ::

        m = b1 m + (1 - b1) g
        v = v + (1 - b2) sign(g^2 - v) g^2
        p = p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)

    {parameters}

    References
    ----------
    Zaheer et al. 2018, "Adaptive methods for nonconvex optimization", Algorithm 2.  The
    paper does not correct the bias (``convention="paper"``).

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(2)
    >>> lrcore.Yogi(p, lr=0.1).step(np.array([3.0, -4.0]))
    True
    >>> p.round(4)
    array([-0.1,  0.1])
    """

    __slots__ = ()
    _rule = "yogi"
    _conventions = ("optax", "paper")

    lr: Number = LR.but(1e-2)
    betas: Pair = BETAS.but(
        doc="Decay of the running mean of g; the larger b2, the slower v."
    )
    eps: Number = EPS.but(1e-3)
    initial_accumulator_value: Fixed = Field(
        1e-6, NONNEGATIVE, "Initial value of m and v.", initial=True
    )
    weight_decay: Number = DECOUPLED
    _: KW_ONLY
    bias_correction: Flag = AdamFlags.bias_correction.but(paper=False)
    decoupled_weight_decay: Flag = DECOUPLES

    @staticmethod
    def _initial(h: Hyper) -> Mapping[str, float | Literal["p"]]:
        value: float = h["initial_accumulator_value"]
        return {"m": value, "v": value}

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        return fold_adam(h)
