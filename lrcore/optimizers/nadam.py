"""NAdam, Adam with a Nesterov look-ahead, and RAdam, Adam with a rectifier."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil, inf, log, sqrt
from typing import ClassVar

import numpy as np

from lrcore._shared.domains import FINITE, FROM_ZERO
from lrcore.optimizers.adam import AdamFlags, fold_adam
from lrcore.optimizers.base.common import BETAS, COUPLED, DECOUPLED, DECOUPLES, EPS, LR
from lrcore.optimizers.base.fields import KW_ONLY, Field, Flag, Number, Pair
from lrcore.optimizers.base.fold import Coefs
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["NAdam", "NAdamW", "RAdam", "RAdamW"]


class NAdam(AdamFlags):
    """NAdam: Adam with a Nesterov look-ahead.

    ::

        mu_t = b1 (1 - 0.96^(t momentum_decay) / 2)
        m = b1 m + (1 - b1) g
        v = b2 v + (1 - b2) g^2
        u = (1 - mu_t) / (1 - mu_1 ... mu_t) g + mu_t+1 / (1 - mu_1 ... mu_t+1) m
        p = p - lr u / (sqrt(v / (1 - b2^t)) + eps)

    {parameters}

    References
    ----------
    Dozat 2016, "Incorporating Nesterov momentum into Adam", Algorithm 2, with torch's
    mu.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.ones(2)
    >>> lrcore.NAdam(p, lr=0.1).step(np.array([1.0, -2.0]))
    True
    >>> p.round(4)
    array([0.8944, 1.1056])
    """

    __slots__ = ()
    _rule = "nadam"
    _conventions: ClassVar[tuple[str, ...]] = ("keras", "optax", "paper")

    lr: Number = LR.but(2e-3, keras=1e-3)
    betas: Pair = BETAS.but(
        doc="Decay of the running means of g and of its square.  If the "
        "first is a schedule, every mu uses its current value."
    )
    eps: Number = EPS.but(keras=1e-7)
    weight_decay: Number = COUPLED
    momentum_decay: Number = Field(
        4e-3,
        FROM_ZERO,
        "Speed of the rise of mu from b1 / 2 to b1; inf: mu is b1.",
        keras=1.0,
        optax=inf,
    )
    _: KW_ONLY
    decoupled_weight_decay: Flag = Optimizer.decoupled_weight_decay.but(keras=True)

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        b1, decay_of_mu = h["betas"][0], h["momentum_decay"]
        # m has corrections of its own.
        fold = fold_adam(h, betas=(0.0, h["betas"][1]))
        product_to = _mu_products(b1, decay_of_mu)
        corrected = h["bias_correction"]

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            product = product_to(t)
            x, ahead = 1 - _mu(t, b1, decay_of_mu), _mu(t + 1, b1, decay_of_mu)
            y = ahead
            if corrected:
                x, y = x / (1 - product), y / (1 - product * ahead)
            decay, lr, _, *rest = fold(t, lr, decay)
            return decay, lr, 1 - b1, *rest, x, y

        return coefs


def _mu(t: int, b1: float, decay: float) -> float:
    return b1 * (1 - 0.5 * float(0.96 ** (t * decay)))


_VANISHED = 2.0**-60
"""1 minus a product of this size is 1."""

_TABLE = 2**17
"""The last step for which a product is made factor by factor; then it is a power."""


@lru_cache(maxsize=64)
def _mu_products(b1: float, decay: float) -> Callable[[int], float]:
    """Return what gives mu_1 ... mu_t for a t; 0, where 1 minus it is 1 anyhow.

    Whatever b1, decay and t are, this takes less than 2,700 calls of `_mu` and a table
    of 1 MiB at most.  Either mu soon reaches b1 to the last bit, where 0.96^(t decay)
    is below 2^-53.  Or decay is below 0.35, and the product vanishes while mu is still
    near b1 / 2.  The table is complete when it is returned, so threads may share it.
    """
    rising = [1.0]
    while rising[-1] > _VANISHED and (mu := _mu(len(rising), b1, decay)) != b1:
        rising.append(rising[-1] * mu)
    risen, begin = len(rising) - 1, rising[-1]  # all later factors are b1
    until_vanished = ceil(log(_VANISHED) / log(max(b1, 0.5))) + 1
    factors = np.full(1 + min(until_vanished, max(_TABLE - risen, 0)), b1)
    factors[0] = begin
    table = np.concatenate([rising[:-1], np.multiply.accumulate(factors)])
    table = table[: np.count_nonzero(table > _VANISHED) + 1].copy()
    vanishes = table[-1] <= _VANISHED

    def product_to(t: int) -> float:
        if t < len(table):
            return float(table[t])
        return 0.0 if vanishes else begin * b1 ** (t - risen)

    return product_to


class NAdamW(NAdam):
    """NAdam with decoupled weight decay: ``p *= 1 - lr * weight_decay``, then NAdam.

    {parameters}

    References
    ----------
    Dozat 2016; Loshchilov & Hutter 2019, "Decoupled weight decay regularization".

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.ones(2)
    >>> lrcore.NAdamW(p, lr=0.1, weight_decay=0.5).step(np.zeros(2))
    True
    >>> p
    array([0.95, 0.95])
    """

    __slots__ = ()
    _conventions = ("optax",)

    weight_decay: Number = DECOUPLED.but(1e-2, optax=1e-4)
    _: KW_ONLY
    decoupled_weight_decay: Flag = DECOUPLES


class RAdam(AdamFlags):
    """RAdam: Adam that steps by momentum alone until the variance of v is small.

    ::

        m, v as in Adam
        rho = rho_inf - 2 t b2^t / (1 - b2^t),   rho_inf = 2 / (1 - b2) - 1
        l = sqrt(1 - b2^t) / (sqrt(v) + eps)
        r = sqrt((rho-4)(rho-2) rho_inf / ((rho_inf-4)(rho_inf-2) rho))
        p = p - lr m / (1 - b1^t) r l       if rho > 5
        p = p - lr m / (1 - b1^t)           otherwise

    {parameters}

    References
    ----------
    Liu et al. 2020, "On the variance of the adaptive learning rate and beyond",
    Algorithm 2.  The threshold of rho is 5, as in torch; in the paper it is 4.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.ones(2)
    >>> lrcore.RAdam(p, lr=0.1).step(np.array([1.0, -2.0]))
    True
    >>> p.round(6)
    array([0.9, 1.2])
    """

    __slots__ = ()
    _rule = "adam"
    _conventions: ClassVar[tuple[str, ...]] = ("optax", "paper")

    lr: Number = LR
    betas: Pair = BETAS
    eps: Number = EPS
    weight_decay: Number = COUPLED
    _: KW_ONLY
    eps_hat: Flag = AdamFlags.eps_hat.but(True, optax=False)
    threshold: Number = Field(5.0, FINITE, "v is used if rho is above this.", paper=4.0)

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        b1, b2 = h["betas"]
        fold, least = fold_adam(h), h["threshold"]
        w1, w2, rho_inf = 1 - b1, 1 - b2, 2 / (1 - b2) - 1
        corrected = h["bias_correction"]

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            c2 = 1 - b2**t
            rho = rho_inf - 2 * t * (1 - c2) / c2
            if rho <= least or rho <= 4:  # u = m
                lr = lr / (1 - b1**t) if corrected else lr
                return decay, lr, w1, w2, 0.0, 0.0, 1.0
            over, under = (rho - 4) * (rho - 2), (rho_inf - 4) * (rho_inf - 2)
            return fold(t, lr * sqrt(over * rho_inf / (under * rho)), decay)

        return coefs


class RAdamW(RAdam):
    """RAdam with decoupled weight decay: ``p *= 1 - lr * weight_decay``, then RAdam.

    {parameters}

    References
    ----------
    Liu et al. 2020; Loshchilov & Hutter 2019, "Decoupled weight decay regularization".

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.ones(2)
    >>> lrcore.RAdamW(p, lr=0.1, weight_decay=0.5).step(np.zeros(2))
    True
    >>> p
    array([0.95, 0.95])
    """

    __slots__ = ()
    _conventions = ("optax",)

    weight_decay: Number = DECOUPLED.but(1e-2)
    _: KW_ONLY
    decoupled_weight_decay: Flag = DECOUPLES
