"""Steps that are scaled for each array, by the norms of the array and its gradient."""

from __future__ import annotations

from math import inf

from lrcore._shared.domains import FLAG, NONNEGATIVE, POSITIVE
from lrcore.optimizers.adam import AdamFlags, fold_adam
from lrcore.optimizers.base.common import BETAS, EPS, LR
from lrcore.optimizers.base.fields import KW_ONLY, Bound, Field, Flag, Number, Pair
from lrcore.optimizers.base.fold import Coefs, Decay, Weights, decay_at
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.sgd import SGD

__all__ = ["LAMB", "LARS", "NovoGrad"]


class LAMB(AdamFlags):
    """LAMB: Adam, with the length of each array's step relative to its norm.

    ::

        m = b1 m + (1 - b1) g
        v = b2 v + (1 - b2) g^2
        u = (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps) + weight_decay p
        p = p - lr |p| / |u| u

    where norms are of the whole array; if one of them is 0, the step is lr u.

    {parameters}

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
    _rule = "adam"
    _scale = "lamb"
    _conventions = ("keras", "optax", "paper")

    lr: Number = LR.but(
        doc="Learning rate: the change of an array in a step, relative to its norm."
    )
    betas: Pair = BETAS
    eps: Number = EPS.but(1e-6, keras=1e-7)
    weight_decay: Number = Field(
        1e-2,
        NONNEGATIVE,
        "Added to u as ``weight_decay * p``; if decoupled, p decays before the "
        "step instead.",
        keras=0.0,
        optax=0.0,
    )
    _: KW_ONLY
    max_trust: Bound = Field(None, POSITIVE.or_none(), "Upper bound of ``|p| / |u|``.")
    decoupled_weight_decay: Flag = Optimizer.decoupled_weight_decay.but(keras=True)

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

    {parameters}

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
    _scale = "lars"
    _conventions = ("paper",)

    lr: Number = LR.but(1.0)
    trust_coefficient: Number = Field(
        1e-3, NONNEGATIVE, "Ratio of the norms of r g and p."
    )
    eps: Number = EPS.but(doc="Added to the divisor, in units of ``|g|``.")
    _: KW_ONLY
    lr_in_momentum: Flag = Field(
        False,
        FLAG,
        "Accumulate lr g in m: a change of lr then acts on later gradients only.",
        paper=True,
    )

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

    {parameters}

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
    _rule = "momentum"
    _scale = "novograd"
    _conventions = ("optax", "paper")

    lr: Number = LR
    betas: Pair = BETAS.but(
        (0.95, 0.98),
        doc="Decay of the momentum and of the mean squared norm.",
        optax=(0.9, 0.25),
    )
    eps: Number = EPS.but(doc="Added to the norm.", optax=1e-6)
    weight_decay: Number = Field(
        0.0, NONNEGATIVE, "Added to the divided gradient as ``weight_decay * p``."
    )
    grad_averaging: Flag = Field(False, FLAG, "Multiply the term added to m by 1 - b1.")

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        b1 = h["betas"][0]
        w = 1 - b1 if h["grad_averaging"] else 1.0
        return lambda t, lr, decay: (decay, lr, b1, w)

    @staticmethod
    def _fold_scale(h: Hyper) -> Weights:
        b2, eps = h["betas"][1], h["eps"]
        return lambda t: (1.0 if t == 1 else 1 - b2, eps)
