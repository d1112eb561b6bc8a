"""Adam and what descends from it."""

from __future__ import annotations

from math import sqrt
from typing import Any, Unpack

from lrcore.optimizers._base import Betas, Common, Optimizer, Scheduled
from lrcore.optimizers._hyper import Coefs, Hyper

__all__ = ["Adam", "AdamW", "Adamax"]


class Adam(Optimizer):
    """Adam: a step of running mean over running root mean square.

    ::

        m = b1 m + (1 - b1) g
        v = b2 v + (1 - b2) g^2
        p = p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)

    Parameters
    ----------
    {params}
    lr : float or schedule
        Learning rate, about the largest change of a weight in a step.  Default 1e-3.
    betas : (float, float) or schedule
        Decay of the running means of g and of its square, in [0, 1).  Default (0.9,
        0.999).
    eps : float or schedule
        Added to the root, in units of g.  Default 1e-8.
    weight_decay : float or schedule
        Added to the gradient as ``weight_decay * p`` (an L2 penalty).  Default 0.
    amsgrad : bool
        Divide by the largest v so far (Reddi et al. 2018, Algorithm 2).  Default False.
    {common}

    References
    ----------
    Kingma & Ba 2015, "Adam: a method for stochastic optimization", Algorithm 1.

    Reddi, Kale & Kumar 2018, "On the convergence of Adam and beyond", Algorithm 2; as
    in torch, the bias of v is corrected after the maximum.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.ones(3)
    >>> opt = lrcore.Adam(p, lr=0.1)
    >>> opt.step(np.array([1.0, -2.0, 0.0]))
    True
    >>> p.round(6)
    array([0.9, 1.1, 1. ])
    """

    __slots__ = ()

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: Scheduled = 1e-8,
        weight_decay: Scheduled = 0.0,
        amsgrad: bool = False,
        **common: Unpack[Common],
    ) -> None:
        hyper = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
        }
        super().__init__(params, hyper, common)

    @staticmethod
    def _rule(h: Hyper) -> str:
        return "amsgrad" if h["amsgrad"] else "adam"

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        (b1, b2), eps = h["betas"], h["eps"]
        w1, w2 = 1 - b1, 1 - b2

        def coefs(t: int, lr: float) -> tuple[float, ...]:
            return lr / (1 - b1**t), w1, w2, 1 / sqrt(1 - b2**t), eps

        return coefs


class AdamW(Adam):
    """Adam with decoupled weight decay: ``p *= 1 - lr * weight_decay``, then Adam.

    Parameters
    ----------
    {params}
    lr, betas, eps, amsgrad
        As of Adam.
    weight_decay : float or schedule
        Each step multiplies p by ``1 - lr * weight_decay``.  Default 1e-2.
    {common}

    References
    ----------
    Loshchilov & Hutter 2019, "Decoupled weight decay regularization", Algorithm 2; as
    in torch, the decay is scaled by lr.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.ones(2)
    >>> lrcore.AdamW(p, lr=0.1, weight_decay=0.5).step(np.zeros(2))
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
        amsgrad: bool = False,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, **common)


class Adamax(Optimizer):
    """Adamax: Adam with the largest recent gradient in the place of the mean square.

    ::

        m = b1 m + (1 - b1) g
        n = max(b2 n, |g| + eps)
        p = p - lr / (1 - b1^t) m / n

    Parameters
    ----------
    {params}
    lr : float or schedule
        Learning rate, about the largest change of a weight in a step.  Default 2e-3.
    betas : (float, float) or schedule
        Decay of the running mean of g and of its largest size, in [0, 1).  Default
        (0.9, 0.999).
    eps : float or schedule
        Added to the size of the gradient, in units of g.  Default 1e-8.
    weight_decay : float or schedule
        Added to the gradient as ``weight_decay * p`` (an L2 penalty).  Default 0.
    {common}

    References
    ----------
    Kingma & Ba 2015, "Adam: a method for stochastic optimization", Algorithm 2, which
    has no eps; it stands where torch has it.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.ones(2)
    >>> lrcore.Adamax(p, lr=0.1).step(np.array([1.0, -2.0]))
    True
    >>> p.round(6)
    array([0.9, 1.1])
    """

    __slots__ = ()

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 2e-3,
        betas: Betas = (0.9, 0.999),
        eps: Scheduled = 1e-8,
        weight_decay: Scheduled = 0.0,
        **common: Unpack[Common],
    ) -> None:
        hyper = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, hyper, common)

    @staticmethod
    def _rule(h: Hyper) -> str:
        return "adamax"

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        (b1, b2), eps = h["betas"], h["eps"]
        return lambda t, lr: (lr / (1 - b1**t), 1 - b1, b2, eps)
