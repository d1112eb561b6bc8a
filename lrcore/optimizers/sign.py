"""Steps by the sign of the gradient or of its mean."""

from __future__ import annotations

from typing import Any, ClassVar, Unpack

from lrcore.optimizers.base.domains import FRACTION, Domains
from lrcore.optimizers.base.fold import Coefs
from lrcore.optimizers.base.keywords import Betas, Common, Hyper, Scheduled
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["Lion", "Rprop", "SignSGD", "Signum"]


class Rprop(Optimizer):
    """Rprop: steps by the sign of the gradient, with a step size for each weight.

    ::

        d = eta+ d,  p = p - sign(g) d     if g has the sign of the last g
        d = eta- d,  p = p                 if the signs differ; then g counts as 0
        p = p - sign(g) d                  if one of them is 0

    It is for full batches: from one batch to another, signs would change by noise.

    Parameters
    ----------
    {params}
    lr : float or schedule
        Step size of the first step; later ones grow and shrink from there.  A step of
        lr 0 moves nothing.  Default 1e-2.
    etas : (float, float)
        Factors eta- in [0, 1) and eta+ above 1.  Default (0.5, 1.2).
    step_sizes : (float, float)
        Least and greatest step size.  Default (1e-6, 50).
    {coupled}
    {common}

    References
    ----------
    Riedmiller & Braun 1993, "A direct adaptive method for faster backpropagation
    learning: the RPROP algorithm", without weight backtracking, as in torch.  This is
    the iRprop- of Igel & Huesken 2003, "Empirical evaluation of the improved Rprop
    learning algorithms".

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(2)
    >>> opt = lrcore.Rprop(p, lr=0.1)
    >>> opt.step(np.array([3.0, -4.0])), opt.step(np.array([2.0, 1.0]))
    (True, True)
    >>> p
    array([-0.22,  0.1 ])
    """

    __slots__ = ()

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        weight_decay: Scheduled = 0.0,
        **common: Unpack[Common],
    ) -> None:
        hyper = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "weight_decay": weight_decay,
        }
        super().__init__(params, hyper, common)

    @staticmethod
    def _rule(h: Hyper) -> str:
        return "rprop"

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        numbers = (*h["etas"], *h["step_sizes"])

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            first, again = (lr, 0.0) if t == 1 else (0.0, 1.0)
            return decay, 1.0 if lr > 0 else 0.0, first, again, *numbers

        return coefs


class SignSGD(Optimizer):
    """SignSGD: each weight moves by lr, against the sign of its gradient.

    ::

        p = p - lr sign(g)

    Parameters
    ----------
    {params}
    lr : float or schedule
        Learning rate: what each weight moves by.  Default 1e-3.
    {decoupled}
    {common}

    References
    ----------
    Bernstein et al. 2018, "signSGD: compressed optimisation for non-convex problems",
    Algorithm 1.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.ones(3)
    >>> lrcore.SignSGD(p, lr=0.1).step(np.array([3.0, -4.0, 0.0]))
    True
    >>> p
    array([0.9, 1.1, 1. ])
    """

    __slots__ = ()
    _decoupled = True
    _conventions: ClassVar[dict[str, Hyper]] = {"optax": {}, "paper": {}}

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-3,
        weight_decay: Scheduled = 0.0,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay}, common)

    @staticmethod
    def _rule(h: Hyper) -> str:
        return "sign"

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        return lambda t, lr, decay: (decay, lr)


class Signum(Optimizer):
    """Signum: each weight moves by lr, against the sign of its mean gradient.

    ::

        m = momentum m + (1 - momentum) g
        p = p - lr sign(m)

    Parameters
    ----------
    {params}
    lr : float or schedule
        Learning rate: what each weight moves by.  Default 1e-3.
    momentum : float or schedule
        Decay of the running mean of g, in [0, 1).  Default 0.9.
    {decoupled}
    {common}

    References
    ----------
    Bernstein et al. 2018, "signSGD: compressed optimisation for non-convex problems",
    Algorithm 2.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(1)
    >>> opt = lrcore.Signum(p, lr=0.1, momentum=0.5)
    >>> opt.step(np.array([3.0])), opt.step(np.array([-1.0]))
    (True, True)
    >>> p
    array([-0.2])
    """

    __slots__ = ()
    _decoupled = True
    _domains: ClassVar[Domains] = {"momentum": FRACTION}
    _conventions: ClassVar[dict[str, Hyper]] = {"optax": {}, "paper": {}}

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-3,
        momentum: Scheduled = 0.9,
        weight_decay: Scheduled = 0.0,
        **common: Unpack[Common],
    ) -> None:
        hyper = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, hyper, common)

    @staticmethod
    def _rule(h: Hyper) -> str:
        return "signum"

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        w = 1 - h["momentum"]
        return lambda t, lr, decay: (decay, lr, w)


class Lion(Optimizer):
    """Lion: steps by the sign of a mean of the momentum and the gradient.

    ::

        p = (1 - lr weight_decay) p - lr sign(b1 m + (1 - b1) g)
        m = b2 m + (1 - b2) g

    Parameters
    ----------
    {params}
    lr : float or schedule
        Learning rate: what each weight moves by.  The authors take a third to a tenth
        of AdamW's, and a decay as much larger.  Default 1e-4.
    betas : (float, float) or schedule
        How much of the mean is in the sign, and the mean's decay, in [0, 1).  Default
        (0.9, 0.99).
    {decoupled}
    {common}

    References
    ----------
    Chen et al. 2023, "Symbolic discovery of optimization algorithms", Algorithm 2.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.ones(3)
    >>> lrcore.Lion(p, lr=0.1).step(np.array([3.0, -4.0, 0.0]))
    True
    >>> p
    array([0.9, 1.1, 1. ])
    """

    __slots__ = ()
    _decoupled = True
    _conventions: ClassVar[dict[str, Hyper]] = {
        "keras": {"lr": 1e-3},
        "optax": {"weight_decay": 1e-3},
        "paper": {},
    }

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-4,
        betas: Betas = (0.9, 0.99),
        weight_decay: Scheduled = 0.0,
        **common: Unpack[Common],
    ) -> None:
        hyper = {"lr": lr, "betas": betas, "weight_decay": weight_decay}
        super().__init__(params, hyper, common)

    @staticmethod
    def _rule(h: Hyper) -> str:
        return "lion"

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        b1, b2 = h["betas"]
        return lambda t, lr, decay: (decay, lr, 1 - b1, 1 - b2)
