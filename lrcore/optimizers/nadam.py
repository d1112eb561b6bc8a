"""Adam with its first steps put right: by a look ahead, or by a rectifier."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from typing import Any, Unpack

from lrcore.optimizers._base import Betas, Common, Optimizer, Scheduled
from lrcore.optimizers._hyper import Coefs, Hyper

__all__ = ["NAdam", "NAdamW", "RAdam", "RAdamW"]


class NAdam(Optimizer):
    """NAdam: Adam with Nesterov's look ahead.

    ::

        mu_t = b1 (1 - 0.96^(t momentum_decay) / 2)
        m = b1 m + (1 - b1) g
        v = b2 v + (1 - b2) g^2
        u = (1 - mu_t) / (1 - mu_1 ... mu_t) g + mu_t+1 / (1 - mu_1 ... mu_t+1) m
        p = p - lr u / (sqrt(v / (1 - b2^t)) + eps)

    Parameters
    ----------
    {params}
    lr : float or schedule
        Learning rate.  Default 2e-3.
    betas : (float, float) or schedule
        Decay of the running means of g and of its square, in [0, 1).  Where the first
        is a schedule, its present value stands for all mu.  Default (0.9, 0.999).
    eps : float or schedule
        Added to the root, in units of g.  Default 1e-8.
    weight_decay : float or schedule
        Added to the gradient as ``weight_decay * p`` (an L2 penalty).  Default 0.
    momentum_decay : float or schedule
        How fast mu rises from b1 / 2 to b1.  Default 4e-3.
    {common}

    References
    ----------
    Dozat 2016, "Incorporating Nesterov momentum into Adam", Algorithm 2; mu is torch's.

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

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 2e-3,
        betas: Betas = (0.9, 0.999),
        eps: Scheduled = 1e-8,
        weight_decay: Scheduled = 0.0,
        momentum_decay: Scheduled = 4e-3,
        **common: Unpack[Common],
    ) -> None:
        hyper = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
        }
        super().__init__(params, hyper, common)

    @staticmethod
    def _rule(h: Hyper) -> str:
        return "nadam"

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        (b1, b2), eps = h["betas"], h["eps"]
        w1, w2 = 1 - b1, 1 - b2
        decay = h["momentum_decay"]
        products = _mu_products(b1, decay)

        def coefs(t: int, lr: float) -> tuple[float, ...]:
            product = products[t - 1] if t <= len(products) else 0.0
            x = (1 - _mu(t, b1, decay)) / (1 - product)
            ahead = _mu(t + 1, b1, decay)
            y = ahead / (1 - product * ahead)
            return lr, w1, w2, x, y, 1 / sqrt(1 - b2**t), eps

        return coefs


def _mu(t: int, b1: float, decay: float) -> float:
    return b1 * (1 - 0.5 * float(0.96 ** (t * decay)))


@lru_cache(maxsize=64)
def _mu_products(b1: float, decay: float) -> tuple[float, ...]:
    """Return mu_1 ... mu_t for t = 1, 2, ..., until 1 minus it is 1."""
    products: list[float] = []
    product = 1.0
    while product > 2.0**-60:
        product *= _mu(len(products) + 1, b1, decay)
        products.append(product)
    return tuple(products)


class NAdamW(NAdam):
    """NAdam with decoupled weight decay: ``p *= 1 - lr * weight_decay``, then NAdam.

    Parameters
    ----------
    {params}
    lr, betas, eps, momentum_decay
        As of NAdam.
    weight_decay : float or schedule
        Each step multiplies p by ``1 - lr * weight_decay``.  Default 1e-2.
    {common}

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
    _decoupled = True

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 2e-3,
        betas: Betas = (0.9, 0.999),
        eps: Scheduled = 1e-8,
        weight_decay: Scheduled = 1e-2,
        momentum_decay: Scheduled = 4e-3,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, momentum_decay, **common)


class RAdam(Optimizer):
    """RAdam: Adam, with plain momentum until its second moment can be trusted.

    ::

        m, v as Adam's
        rho = rho_inf - 2 t b2^t / (1 - b2^t),   rho_inf = 2 / (1 - b2) - 1
        l = sqrt(1 - b2^t) / (sqrt(v) + eps)
        r = sqrt((rho-4)(rho-2) rho_inf / ((rho_inf-4)(rho_inf-2) rho))
        p = p - lr m / (1 - b1^t) r l       where rho > 5
        p = p - lr m / (1 - b1^t)           before

    Parameters
    ----------
    {params}
    lr : float or schedule
        Learning rate.  Default 1e-3.
    betas : (float, float) or schedule
        Decay of the running means of g and of its square, in [0, 1).  Default (0.9,
        0.999).
    eps : float or schedule
        Added to the root, in units of g.  Default 1e-8.
    weight_decay : float or schedule
        Added to the gradient as ``weight_decay * p`` (an L2 penalty).  Default 0.
    {common}

    References
    ----------
    Liu et al. 2020, "On the variance of the adaptive learning rate and beyond",
    Algorithm 2; as in torch, from rho > 5 on (the paper: > 4).

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

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: Scheduled = 1e-8,
        weight_decay: Scheduled = 0.0,
        **common: Unpack[Common],
    ) -> None:
        hyper = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, hyper, common)

    @staticmethod
    def _rule(h: Hyper) -> str:
        return "adam"

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        (b1, b2), eps = h["betas"], h["eps"]
        w1, w2, rho_inf = 1 - b1, 1 - b2, 2 / (1 - b2) - 1

        def coefs(t: int, lr: float) -> tuple[float, ...]:
            lr, c2 = lr / (1 - b1**t), 1 - b2**t
            rho = rho_inf - 2 * t * (1 - c2) / c2
            if rho <= 5:
                return lr, w1, w2, 0.0, 1.0  # u = m
            over, under = (rho - 4) * (rho - 2), (rho_inf - 4) * (rho_inf - 2)
            rectifier = sqrt(over * rho_inf / (under * rho))
            return lr * rectifier * sqrt(c2), w1, w2, 1.0, eps

        return coefs


class RAdamW(RAdam):
    """RAdam with decoupled weight decay: ``p *= 1 - lr * weight_decay``, then RAdam.

    Parameters
    ----------
    {params}
    lr, betas, eps
        As of RAdam.
    weight_decay : float or schedule
        Each step multiplies p by ``1 - lr * weight_decay``.  Default 1e-2.
    {common}

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
    _decoupled = True

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: Scheduled = 1e-8,
        weight_decay: Scheduled = 1e-2,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, **common)
