"""Variants of Adam with other moments in the numerator or the denominator."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, inf, log, sqrt
from typing import Literal

from lrcore._shared.domains import FLAG, FRACTION, NONNEGATIVE
from lrcore.optimizers.adam import AdamFlags, fold_adam
from lrcore.optimizers.base.common import BETAS, COUPLED, DECOUPLED, EPS, LR
from lrcore.optimizers.base.fields import (
    KW_ONLY,
    Bound,
    Field,
    Fixed,
    Flag,
    Number,
    Pair,
    Triple,
)
from lrcore.optimizers.base.fold import Coefs, Decay
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["ADOPT", "AdEMAMix", "AdaBelief", "Adan", "LaProp", "Yogi"]


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
    decoupled_weight_decay: Flag = Optimizer.decoupled_weight_decay.but(True)

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
    decoupled_weight_decay: Flag = Optimizer.decoupled_weight_decay.but(True)

    @staticmethod
    def _initial(h: Hyper) -> Mapping[str, float | Literal["p"]]:
        value: float = h["initial_accumulator_value"]
        return {"m": value, "v": value}

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        return fold_adam(h)


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
    decoupled_weight_decay: Flag = Optimizer.decoupled_weight_decay.but(True)

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


class AdEMAMix(AdamFlags):
    """AdEMAMix: Adam with a second, slow mean of the gradient.

    ::

        m = b1 m + (1 - b1) g
        m_slow = b3 m_slow + (1 - b3) g
        v = b2 v + (1 - b2) g^2
        u = (m / (1 - b1^t) + alpha m_slow) / (sqrt(v / (1 - b2^t)) + eps)
        p = (1 - lr weight_decay) p - lr u

    {parameters}

    References
    ----------
    Pagliardini, Ablin & Grangier 2025, "The AdEMAMix optimizer: better, faster, older",
    Algorithm 1 and section 3.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(1)
    >>> lrcore.AdEMAMix(p, lr=0.1, betas=(0.9, 0.999, 0.9)).step(np.array([2.0]))
    True
    >>> p.round(6)
    array([-0.15])
    """

    __slots__ = ()
    _rule = "ademamix"

    lr: Number = LR
    betas: Triple = Field(
        (0.9, 0.999, 0.9999),
        (FRACTION, FRACTION, FRACTION),
        "Decay of m, v and m_slow.",
    )
    alpha: Number = Field(5.0, NONNEGATIVE, "Weight of the slow mean.")
    t_alpha_beta3: Number = Field(
        0.0,
        NONNEGATIVE,
        "Number of steps in which alpha grows linearly to its value, and b3 from b1 "
        "to its value with a half life that grows about linearly; 0: both start "
        "there.  The authors use all steps of the run.",
    )
    eps: Number = EPS
    weight_decay: Number = DECOUPLED
    _: KW_ONLY
    decoupled_weight_decay: Flag = Optimizer.decoupled_weight_decay.but(True)

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        (b1, _, b3), alpha, total = h["betas"], h["alpha"], h["t_alpha_beta3"]
        fold, corrected = fold_adam(h), h["bias_correction"]

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            share = 1.0 if t >= total else t / total
            w3 = 1 - _grown(b1, b3, share)
            c1 = 1 - b1**t if corrected else 1.0
            return *fold(t, lr, decay), w3, alpha * share * c1

        return coefs


def _grown(b1: float, b3: float, share: float) -> float:
    """Return the beta on the way from b1 to b3."""
    if share == 1 or b1 in (0, b3) or b3 == 0:
        return b3
    fast, slow = log(b1), log(b3)
    return min(exp(fast * slow / ((1 - share) * slow + share * fast)), b3)


class Adan(Optimizer):
    """Adan: Adam with a Nesterov look-ahead by the mean change of the gradient.

    ::

        e = g - g_old,  0 in the first step
        m = b1 m + (1 - b1) g
        d = b2 d + (1 - b2) e
        n = b3 n + (1 - b3) (g + b2 e)^2
        u = (m / (1 - b1^t) + b2 d / (1 - b2^t)) / (sqrt(n / (1 - b3^t)) + eps)
        p = (p - lr u) / (1 + lr weight_decay)

    {parameters}

    References
    ----------
    Xie et al. 2024, "Adan: adaptive Nesterov momentum algorithm for faster optimizing
    deep models", Algorithm 1 without restarts.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(2)
    >>> lrcore.Adan(p, lr=0.1).step(np.array([3.0, -4.0]))
    True
    >>> p.round(6)
    array([-0.1,  0.1])
    """

    __slots__ = ()
    _rule = "adan"

    lr: Number = LR
    betas: Triple = Field(
        (0.98, 0.92, 0.99),
        (FRACTION, FRACTION, FRACTION),
        "Decay of m, d and n: 1 minus the paper's betas.",
    )
    eps: Number = EPS
    weight_decay: Number = Field(
        0.0, NONNEGATIVE, "Each step divides p by ``1 + lr * weight_decay``."
    )
    no_prox: Flag = Field(
        False, FLAG, "Decay p by ``1 - lr * weight_decay`` before the step instead."
    )
    _: KW_ONLY
    decoupled_weight_decay: Flag = Optimizer.decoupled_weight_decay.but(True)

    @staticmethod
    def _decay(h: Hyper) -> tuple[float, Decay]:
        l2, decay = Optimizer._decay(h)
        if h["no_prox"] or not h["decoupled_weight_decay"]:
            return l2, decay
        return l2, lambda rate: 1 / (2 - decay(rate))

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        (b1, b2, b3), eps, after = h["betas"], h["eps"], not h["no_prox"]
        weights = (1 - b1, 1 - b2, 1 - b3)

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            c1, c2, r = 1 - b1**t, 1 - b2**t, 1 / sqrt(1 - b3**t)
            again = 0.0 if t == 1 else 1.0
            lr = lr / c1 * (decay if after else 1.0)
            return decay, lr, *weights, again, b2, b2 * c1 / c2, r, eps

        return coefs
