"""Steps that are scaled for each array, by the norms of the array and its gradient."""

from __future__ import annotations

from math import inf
from typing import Any, ClassVar, Unpack

from lrcore.optimizers.adam import (
    ADAM_FLAGS,
    ADAM_FLAGS_DOC,
    AdamFlags,
    fold_adam,
)
from lrcore.optimizers.base.domains import NONNEGATIVE, POSITIVE, Domains
from lrcore.optimizers.base.fold import Coefs, Decay, Weights, decay_at
from lrcore.optimizers.base.keywords import Betas, Common, Hyper, Scheduled
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.sgd import SGD, MomentumFlags

__all__ = ["LAMB", "LARS", "NovoGrad"]


class LAMBFlags(AdamFlags, total=False):
    """Keyword-only flags of LAMB."""

    max_trust: Scheduled | None


class LAMB(Optimizer):
    """LAMB: Adam, with the length of each array's step relative to its norm.

    ::

        m = b1 m + (1 - b1) g
        v = b2 v + (1 - b2) g^2
        u = (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps) + weight_decay p
        p = p - lr |p| / |u| u

    where norms are of the whole array; if one of them is 0, the step is lr u.

    Parameters
    ----------
    {params}
    lr : float or schedule
        Learning rate: the change of an array in a step, relative to its norm.  Default
        1e-3.
    betas : (float, float) or schedule
        Decay of the running means of g and of its square, in [0, 1).  Default (0.9,
        0.999).
    eps : float or schedule
        Added to the root, in units of g.  Default 1e-6.
    weight_decay : float or schedule
        Added to u as ``weight_decay * p``; where decoupled, p decays before the step
        instead.  Default 0.01.
    max_trust : float, schedule or None
        Bound of ``|p| / |u|``.  Default None.
    {flags}
    {common}

    References
    ----------
    You et al. 2020, "Large batch optimization for deep learning: training BERT in 76
    minutes", Algorithm 2; phi is the identity.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.array([3.0, 4.0])
    >>> lrcore.LAMB(p, lr=0.1, weight_decay=0.0).step(np.array([1.0, -1.0]))
    True
    >>> p.round(3)
    array([2.646, 4.354])
    """

    __slots__ = ()
    _flags: ClassVar[Hyper] = {**ADAM_FLAGS, "max_trust": None}
    _flags_doc = ADAM_FLAGS_DOC.format(eps_hat=False)
    _domains: ClassVar[Domains] = {"max_trust": POSITIVE.or_none()}
    _conventions: ClassVar[dict[str, Hyper]] = {
        "keras": {"eps": 1e-7, "weight_decay": 0.0, "decoupled_weight_decay": True},
        "optax": {"weight_decay": 0.0},
        "paper": {},
    }

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: Scheduled = 1e-6,
        weight_decay: Scheduled = 1e-2,
        **common: Unpack[LAMBFlags],
    ) -> None:
        hyper = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, hyper, common)

    @staticmethod
    def _rule(h: Hyper) -> str:
        return "adam"

    @staticmethod
    def _scale(h: Hyper) -> str:
        return "lamb"

    @staticmethod
    def _decay(h: Hyper) -> tuple[float, Decay]:
        added = 0.0 if h["decoupled_weight_decay"] else h["weight_decay"]
        return h["l2"], lambda rate: added

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        fold = fold_adam(h)

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            decay, f, *rest = fold(t, 1.0, decay)
            return decay / f, lr * f, *rest

        return coefs

    @staticmethod
    def _fold_scale(h: Hyper) -> Weights:
        fold = fold_adam(h)
        decay = decay_at(h)(h["lr"])  # of p: 1 where it is in u
        most = inf if h["max_trust"] is None else h["max_trust"]
        return lambda t: (decay, most, fold(t, 1.0, 1.0)[1])


class LARS(SGD):
    """LARS: SGD with momentum, of gradients whose length is relative to their array's.

    ::

        r = trust_coefficient |p| / (|g| + weight_decay |p| + eps)
        m = momentum m + r (g + weight_decay p)
        p = p - lr m

    where norms are of the whole array, and r = 1 if one of them is 0.

    Parameters
    ----------
    {params}
    lr : float or schedule
        Learning rate.  Default 1.
    momentum, dampening, nesterov
        As of SGD.
    {coupled}
    trust_coefficient : float or schedule
        The length of r g relative to p's.  Default 1e-3.
    eps : float or schedule
        Added to the divisor, in units of |g|.  Default 1e-8.
    {flags}
    {common}

    References
    ----------
    You, Gitman & Ginsburg 2017, "Large batch training of convolutional networks",
    Algorithm 1, where lr stands inside the momentum (``lr_in_momentum=True``).

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.array([3.0, 4.0])
    >>> lrcore.LARS(p, lr=1.0, trust_coefficient=0.1).step(np.array([0.0, -2.0]))
    True
    >>> p.round(3)
    array([3. , 4.5])
    """

    __slots__ = ()
    _domains: ClassVar[Domains] = {"trust_coefficient": NONNEGATIVE}
    _conventions: ClassVar[dict[str, Hyper]] = {"paper": {"lr_in_momentum": True}}

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1.0,
        momentum: Scheduled = 0.0,
        dampening: Scheduled = 0.0,
        weight_decay: Scheduled = 0.0,
        nesterov: bool = False,
        trust_coefficient: Scheduled = 1e-3,
        eps: Scheduled = 1e-8,
        **common: Unpack[MomentumFlags],
    ) -> None:
        hyper = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "trust_coefficient": trust_coefficient,
            "eps": eps,
        }
        Optimizer.__init__(self, params, hyper, common)

    @staticmethod
    def _scale(h: Hyper) -> str:
        return "lars"

    @staticmethod
    def _fold_scale(h: Hyper) -> Weights:
        trust, eps = h["trust_coefficient"], h["eps"]
        return lambda t: (trust, eps)


class NovoGrad(Optimizer):
    """NovoGrad: momentum of gradients divided by the running norm of each array.

    ::

        norm2 = b2 norm2 + (1 - b2) |g|^2,  |g|^2 at first; a number for each array
        m = b1 m + g / (sqrt(norm2) + eps) + weight_decay p
        p = p - lr m

    Parameters
    ----------
    {params}
    lr : float or schedule
        Learning rate.  Default 1e-3.
    betas : (float, float) or schedule
        Decay of the momentum and of the squared norm's mean, in [0, 1).  Default
        (0.95, 0.98).
    eps : float or schedule
        Added to the norm.  Default 1e-8.
    weight_decay : float or schedule
        Added to the divided gradient as ``weight_decay * p``.  Default 0.
    grad_averaging : bool
        Weigh what enters m by 1 - b1.  Default False.
    {common}

    References
    ----------
    Ginsburg et al. 2019, "Stochastic gradient methods with layer-wise adaptive moments
    for training of deep networks", Algorithm 1.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(2)
    >>> lrcore.NovoGrad(p, lr=0.1).step(np.array([3.0, -4.0]))
    True
    >>> p.round(6)
    array([-0.06,  0.08])
    """

    __slots__ = ()
    _conventions: ClassVar[dict[str, Hyper]] = {
        "optax": {"betas": (0.9, 0.25), "eps": 1e-6},
        "paper": {},
    }

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-3,
        betas: Betas = (0.95, 0.98),
        eps: Scheduled = 1e-8,
        weight_decay: Scheduled = 0.0,
        grad_averaging: bool = False,
        **common: Unpack[Common],
    ) -> None:
        hyper = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "grad_averaging": grad_averaging,
        }
        super().__init__(params, hyper, common)

    @staticmethod
    def _rule(h: Hyper) -> str:
        return "momentum"

    @staticmethod
    def _scale(h: Hyper) -> str:
        return "novograd"

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        b1 = h["betas"][0]
        w = 1 - b1 if h["grad_averaging"] else 1.0
        return lambda t, lr, decay: (decay, lr, b1, w)

    @staticmethod
    def _fold_scale(h: Hyper) -> Weights:
        b2, eps = h["betas"][1], h["eps"]
        return lambda t: (1.0 if t == 1 else 1 - b2, eps)
