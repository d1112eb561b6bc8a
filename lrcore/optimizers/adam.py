"""Adam, AdamW and Adamax."""

from __future__ import annotations

from math import sqrt

from lrcore._shared.domains import FLAG, NONNEGATIVE
from lrcore.optimizers.base.common import BETAS, COUPLED, DECOUPLED, DECOUPLES, EPS, LR
from lrcore.optimizers.base.fields import KW_ONLY, Field, Flag, Number, Pair
from lrcore.optimizers.base.fold import Coefs
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["Adam", "AdamW", "Adamax"]


def fold_adam(
    h: Hyper, betas: tuple[float, ...] | None = None, eps_hat: bool | None = None
) -> Coefs:
    """Return the coefficients of a rule that divides by ``sqrt(v + root) r + eps``.

    betas, eps_hat : replace those in h; only the first two betas count.

    It is called in each step, where ``1.0 - x`` takes less time than ``1 - x``.
    """
    betas = h["betas"] if betas is None else betas
    b1, b2 = betas[0], betas[1]
    eps, root, w1, w2 = h["eps"], h["eps_root"], 1 - b1, 1 - b2

    if not h["bias_correction"]:
        return lambda t, lr, decay: (decay, lr, w1, w2, root, 1.0, eps)
    if h["eps_hat"] if eps_hat is None else eps_hat:

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            lr = lr * sqrt(1.0 - b2**t) / (1.0 - b1**t)
            return decay, lr, w1, w2, root, 1.0, eps

    else:

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            c2 = 1.0 - b2**t
            return decay, lr / (1.0 - b1**t), w1, w2, root * c2, 1.0 / sqrt(c2), eps

    return coefs


class AdamFlags(Optimizer):
    """The flags of optimizers with Adam's denominator."""

    __slots__ = ()

    _: KW_ONLY
    bias_correction: Flag = Field(True, FLAG, "Divide m by 1 - b1^t and v by 1 - b2^t.")
    eps_hat: Flag = Field(
        False,
        FLAG,
        'Add eps to sqrt(v) before the bias correction: "epsilon hat" of Kingma & '
        "Ba's section 2.",
    )
    eps_root: Number = Field(0.0, NONNEGATIVE, "Added under the root, in units of g^2.")


class Adam(AdamFlags):
    """Adam: the running mean of the gradient over its running root mean square.

    ::

        m = b1 m + (1 - b1) g
        v = b2 v + (1 - b2) g^2
        p = p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)

    {parameters}

    References
    ----------
    Kingma & Ba 2015, "Adam: a method for stochastic optimization", Algorithm 1.

    Reddi, Kale & Kumar 2018, "On the convergence of Adam and beyond", Algorithm 2.  The
    bias of v is corrected after the maximum, as in torch; with ``convention="paper"``
    it is not corrected.

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
    _conventions = ("keras", "optax", "paper")

    lr: Number = LR.but(
        doc="Learning rate: about the largest change of a weight in a step."
    )
    betas: Pair = BETAS
    eps: Number = EPS.but(keras=1e-7)
    weight_decay: Number = COUPLED
    amsgrad: Flag = Field(
        False, FLAG, "Divide by the largest v so far (Reddi et al. 2018, Algorithm 2)."
    )
    _: KW_ONLY
    eps_hat: Flag = AdamFlags.eps_hat.but(keras=True)
    amsgrad_hat: Flag = Field(
        False, FLAG, "Take the largest v after bias correction.", optax=True
    )
    decoupled_weight_decay: Flag = Optimizer.decoupled_weight_decay.but(keras=True)

    @classmethod
    def _preset(cls, convention: str, hyper: Hyper) -> Hyper:
        preset = super()._preset(convention, hyper)
        if convention == "paper" and hyper["amsgrad"]:
            return {**preset, "bias_correction": False}
        return preset

    @classmethod
    def _rule_for(cls, h: Hyper) -> str:
        return "amsgrad" if h["amsgrad"] else "adam"

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        fold = fold_adam(h)
        if not h["amsgrad"]:
            return fold
        if not (h["amsgrad_hat"] and h["bias_correction"]):
            return lambda t, lr, decay: (*fold(t, lr, decay), 1.0)
        if h["eps_hat"]:
            raise ValueError("amsgrad_hat: found with eps_hat, which undoes it")
        b2, root = h["betas"][1], h["eps_root"]

        def hat(t: int, lr: float, decay: float) -> tuple[float, ...]:
            decay, lr, w1, w2, _, _, eps = fold(t, lr, decay)
            return decay, lr, w1, w2, root, 1.0, eps, 1 / (1 - b2**t)

        return hat


class AdamW(Adam):
    """Adam with decoupled weight decay: ``p *= 1 - lr * weight_decay``, then Adam.

    {parameters}

    References
    ----------
    Loshchilov & Hutter 2019, "Decoupled weight decay regularization", Algorithm 2.  The
    decay is multiplied by lr, as in torch.  The paper multiplies it only by the
    schedule's multiplier: for ``convention="paper"``, pass weight_decay as a schedule.

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

    weight_decay: Number = DECOUPLED.but(1e-2, keras=4e-3, optax=1e-4)
    _: KW_ONLY
    decoupled_weight_decay: Flag = DECOUPLES
    independent_weight_decay: Flag = Optimizer.independent_weight_decay.but(paper=True)


class Adamax(Optimizer):
    """Adamax: Adam with a decaying maximum of ``|g|`` instead of the root mean square.

    ::

        m = b1 m + (1 - b1) g
        n = max(b2 n, |g| + eps)
        p = p - lr / (1 - b1^t) m / n

    {parameters}

    References
    ----------
    Kingma & Ba 2015, "Adam: a method for stochastic optimization", Algorithm 2.  The
    paper has no eps; its place is that of torch.

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
    _rule = "adamax"
    _conventions = ("keras", "optax", "paper")

    lr: Number = Adam.lr.but(2e-3, keras=1e-3)
    betas: Pair = BETAS.but(
        doc="Decay of the running mean of g and of the running max of its size."
    )
    eps: Number = EPS.but(
        doc="Added to the size of the gradient, in units of g.", keras=1e-7, paper=0.0
    )
    weight_decay: Number = COUPLED
    _: KW_ONLY
    eps_outside: Flag = Field(
        False,
        FLAG,
        "Add eps to the divisor n, not to the gradient's size.",
        keras=True,
    )
    decoupled_weight_decay: Flag = Optimizer.decoupled_weight_decay.but(keras=True)

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        (b1, b2), eps = h["betas"], h["eps"]
        added = (0.0, eps) if h["eps_outside"] else (eps, 0.0)
        return lambda t, lr, decay: (decay, lr / (1 - b1**t), 1 - b1, b2, *added)
