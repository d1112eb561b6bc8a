"""Adam, AdamW and Adamax."""

from __future__ import annotations

from math import sqrt
from typing import Any, ClassVar, Unpack

from lrcore.optimizers.base.fold import Coefs
from lrcore.optimizers.base.keywords import Betas, Common, Hyper, Scheduled
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["Adam", "AdamW", "Adamax"]


class AdamFlags(Common, total=False):
    """Keyword-only flags of Adam and what has its denominator."""

    bias_correction: bool
    eps_hat: bool
    eps_root: Scheduled


class AMSGradFlags(AdamFlags, total=False):
    """Keyword-only flags where there is amsgrad."""

    amsgrad_hat: bool


ADAM_FLAGS: Hyper = {"bias_correction": True, "eps_hat": False, "eps_root": 0.0}

ADAM_FLAGS_DOC = """\
bias_correction : bool
        Divide m by 1 - b1^t and v by 1 - b2^t.  Default True.
    eps_hat : bool
        Add eps to the root of v before it is corrected: "epsilon hat" of the paper's
        section 2.  Default {eps_hat}.
    eps_root : float or schedule
        Added under the root, in units of g^2.  Default 0."""


def fold_adam(
    h: Hyper, betas: tuple[float, ...] | None = None, eps_hat: bool | None = None
) -> Coefs:
    """Return the numbers of what divides by Adam's ``sqrt(v + root) r + eps``.

    betas, eps_hat : in the place of those in h; only the first two betas count.
    """
    betas = h["betas"] if betas is None else betas
    b1, b2 = betas[0], betas[1]
    eps, root, w1, w2 = h["eps"], h["eps_root"], 1 - b1, 1 - b2

    if not h["bias_correction"]:
        return lambda t, lr, decay: (decay, lr, w1, w2, root, 1.0, eps)
    if h["eps_hat"] if eps_hat is None else eps_hat:

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            lr = lr * sqrt(1 - b2**t) / (1 - b1**t)
            return decay, lr, w1, w2, root, 1.0, eps

    else:

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            c2 = 1 - b2**t
            return decay, lr / (1 - b1**t), w1, w2, root * c2, 1 / sqrt(c2), eps

    return coefs


class Adam(Optimizer):
    """Adam: the running mean of the gradient over its running root mean square.

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
    {coupled}
    amsgrad : bool
        Divide by the largest v so far (Reddi et al. 2018, Algorithm 2).  Default False.
    {flags}
    {common}

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
    _flags: ClassVar[Hyper] = {**ADAM_FLAGS, "amsgrad_hat": False}
    _flags_doc = (
        ADAM_FLAGS_DOC.format(eps_hat=False)
        + """
    amsgrad_hat : bool
        Take the largest v after its correction.  Default False."""
    )
    _conventions: ClassVar[dict[str, Hyper]] = {
        "keras": {"eps": 1e-7, "eps_hat": True, "decoupled_weight_decay": True},
        "optax": {"amsgrad_hat": True},
        "paper": {},
    }

    @classmethod
    def _preset(cls, convention: str, hyper: Hyper) -> Hyper:
        preset = super()._preset(convention, hyper)
        if convention == "paper" and hyper["amsgrad"]:
            return {**preset, "bias_correction": False}
        return preset

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: Scheduled = 1e-8,
        weight_decay: Scheduled = 0.0,
        amsgrad: bool = False,
        **common: Unpack[AMSGradFlags],
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

    Parameters
    ----------
    {params}
    lr, betas, eps, amsgrad
        As of Adam.
    {decoupled}
    {flags}
    {common}

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
    _decoupled = True
    _conventions: ClassVar[dict[str, Hyper]] = {
        "keras": {"eps": 1e-7, "eps_hat": True, "weight_decay": 4e-3},
        "optax": {"weight_decay": 1e-4, "amsgrad_hat": True},
        "paper": {"independent_weight_decay": True},
    }

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-3,
        betas: Betas = (0.9, 0.999),
        eps: Scheduled = 1e-8,
        weight_decay: Scheduled = 1e-2,
        amsgrad: bool = False,
        **common: Unpack[AMSGradFlags],
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, **common)


class AdamaxFlags(Common, total=False):
    """Keyword-only flags of Adamax."""

    eps_outside: bool


class Adamax(Optimizer):
    """Adamax: Adam with a decaying maximum of |g| instead of the root mean square.

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
    {coupled}
    {flags}
    {common}

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
    _flags: ClassVar[Hyper] = {"eps_outside": False}
    _flags_doc = """\
eps_outside : bool
        Add eps to n where it divides, not to the gradient's size.  Default False."""
    _conventions: ClassVar[dict[str, Hyper]] = {
        "keras": {
            "lr": 1e-3,
            "eps": 1e-7,
            "eps_outside": True,
            "decoupled_weight_decay": True,
        },
        "optax": {},
        "paper": {"eps": 0.0},
    }

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 2e-3,
        betas: Betas = (0.9, 0.999),
        eps: Scheduled = 1e-8,
        weight_decay: Scheduled = 0.0,
        **common: Unpack[AdamaxFlags],
    ) -> None:
        hyper = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, hyper, common)

    @staticmethod
    def _rule(h: Hyper) -> str:
        return "adamax"

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        (b1, b2), eps = h["betas"], h["eps"]
        added = (0.0, eps) if h["eps_outside"] else (eps, 0.0)
        return lambda t, lr, decay: (decay, lr / (1 - b1**t), 1 - b1, b2, *added)
