"""Variants of Adam that divide the gradient by the root of v, then average it."""

from __future__ import annotations

from math import inf, sqrt

from lrcore._shared.domains import NONNEGATIVE
from lrcore.optimizers.adam import AdamFlags, fold_adam
from lrcore.optimizers.base.common import BETAS, COUPLED, DECOUPLED, DECOUPLES, EPS, LR
from lrcore.optimizers.base.fields import (
    KW_ONLY,
    Bound,
    Field,
    Flag,
    Number,
    Pair,
)
from lrcore.optimizers.base.fold import Coefs
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["ADOPT", "LaProp"]


class LaProp(AdamFlags):
    """LaProp: momentum of normalised gradients (Adam normalises the momentum).

    ::

        v = b2 v + (1 - b2) g^2
        m = b1 m + (1 - b1) g / (sqrt(v / (1 - b2^t)) + eps)
        p = (1 - lr weight_decay) (p - lr m / (1 - b1^t))

    {parameters}

    References
    ----------
    Ziyin, Wang & Ueda 2020, "LaProp: separating momentum and adaptivity in Adam",
    Algorithm 1.  p decays after the step, as in the authors' code.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(2)
    >>> lrcore.LaProp(p, lr=0.1).step(np.array([3.0, -4.0]))
    True
    >>> p.round(6)
    array([-0.1,  0.1])
    """

    __slots__ = ()
    _rule = "laprop"

    lr: Number = LR.but(4e-4)
    betas: Pair = BETAS.but(
        doc="Decay of the running means, of the normalised g and of g^2."
    )
    eps: Number = EPS.but(1e-15)
    weight_decay: Number = DECOUPLED
    _: KW_ONLY
    decoupled_weight_decay: Flag = DECOUPLES

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        fold = fold_adam(h, eps_hat=False)
        if not h["eps_hat"]:
            return lambda t, lr, decay: fold(t, lr * decay, decay)
        b2, eps = h["betas"][1], h["eps"]

        def hat(t: int, lr: float, decay: float) -> tuple[float, ...]:
            *numbers, r, _ = fold(t, lr * decay, decay)
            return *numbers, r, eps / sqrt(1 - b2**t)

        return hat


class ADOPT(Optimizer):
    """ADOPT: Adam that divides g by the root of the previous v, then averages.

    ::

        v = g^2                                     at t = 1, without a step; then
        x = g / max(sqrt(v), eps), kept within +-(t - 1)^clip_exp
        m = b1 m + (1 - b1) x
        v = b2 v + (1 - b2) g^2
        p = p - lr m

    {parameters}

    References
    ----------
    Taniguchi et al. 2024, "ADOPT: modified Adam can converge with any beta2 with the
    optimal rate", Algorithm 2, with the bound of the authors' code.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(1)
    >>> opt = lrcore.ADOPT(p, lr=0.1)
    >>> opt.step(np.array([2.0])), opt.step(np.array([1.0]))
    (True, True)
    >>> p.round(6)
    array([-0.005])
    """

    __slots__ = ()
    _rule = "adopt"

    lr: Number = LR
    betas: Pair = BETAS.but(
        (0.9, 0.9999), doc="Decay of the running means, of x and of g^2."
    )
    eps: Number = EPS.but(1e-6, doc="Lower bound of the root, in units of g.")
    weight_decay: Number = COUPLED
    clip_exp: Bound = Field(
        0.25,
        NONNEGATIVE.or_none(),
        "Clip x at (t - 1)^clip_exp; None: no bound.",
    )

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        (b1, b2), eps, power = h["betas"], h["eps"], h["clip_exp"]

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            if t == 1:
                return 1.0, 0.0, 1 - b1, 1.0, eps, 0.0
            most = inf if power is None else (t - 1) ** power
            return decay, lr, 1 - b1, 1 - b2, eps, most

        return coefs
