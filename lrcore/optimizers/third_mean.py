"""Variants of Adam with a third running mean."""

from __future__ import annotations

from math import exp, log, sqrt

from lrcore._shared.domains import FLAG, FRACTION, NONNEGATIVE
from lrcore.optimizers.adam import AdamFlags, fold_adam
from lrcore.optimizers.base.common import DECOUPLED, DECOUPLES, EPS, LR
from lrcore.optimizers.base.fields import KW_ONLY, Field, Flag, Number, Triple
from lrcore.optimizers.base.fold import Coefs, Decay
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["AdEMAMix", "Adan"]


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
        (0.9, 0.999, 0.9999), (FRACTION,) * 3, "Decay of m, v and m_slow."
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
    decoupled_weight_decay: Flag = DECOUPLES

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
        (FRACTION,) * 3,
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
    decoupled_weight_decay: Flag = DECOUPLES

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
