"""Steps by the sign of the gradient or of its mean."""

from __future__ import annotations

from lrcore._shared.domains import ABOVE_ONE, FRACTION, NONNEGATIVE
from lrcore.optimizers.base.common import BETAS, COUPLED, DECOUPLED, DECOUPLES, LR
from lrcore.optimizers.base.fields import KW_ONLY, Field, Flag, Number, Pair
from lrcore.optimizers.base.fold import Coefs
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["Lion", "Rprop", "SignSGD", "Signum"]


class Rprop(Optimizer):
    """Rprop: steps by the sign of the gradient, with a step size for each weight.

    ::

        d = eta+ d,  p = p - sign(g) d     if g has the sign of the last g
        d = eta- d,  p = p                 if the signs differ; then g counts as 0
        p = p - sign(g) d                  if one of them is 0

    It is for full batches: from one batch to another, signs would change by noise.

    {parameters}

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
    _rule = "rprop"

    lr: Number = LR.but(
        1e-2,
        doc="Initial step size; it then grows or shrinks for each weight.  A step with "
        "lr 0 moves nothing.",
    )
    etas: Pair = Field((0.5, 1.2), (FRACTION, ABOVE_ONE), "Factors eta- and eta+.")
    step_sizes: Pair = Field(
        (1e-6, 50.0), (NONNEGATIVE, NONNEGATIVE), "Smallest and largest step size."
    )
    weight_decay: Number = COUPLED

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

    {parameters}

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
    _rule = "sign"
    _conventions = ("optax", "paper")

    lr: Number = LR.but(doc="Learning rate: the distance that each weight moves.")
    weight_decay: Number = DECOUPLED
    _: KW_ONLY
    decoupled_weight_decay: Flag = DECOUPLES

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        return lambda t, lr, decay: (decay, lr)


class Signum(Optimizer):
    """Signum: each weight moves by lr, against the sign of its mean gradient.

    ::

        m = momentum m + (1 - momentum) g
        p = p - lr sign(m)

    {parameters}

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
    _rule = "signum"
    _conventions = ("optax", "paper")

    lr: Number = LR.but(doc="Learning rate: the distance that each weight moves.")
    momentum: Number = Field(0.9, FRACTION, "Decay of the running mean of g.")
    weight_decay: Number = DECOUPLED
    _: KW_ONLY
    decoupled_weight_decay: Flag = DECOUPLES

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        w = 1 - h["momentum"]
        return lambda t, lr, decay: (decay, lr, w)


class Lion(Optimizer):
    """Lion: steps by the sign of a mean of the momentum and the gradient.

    ::

        p = (1 - lr weight_decay) p - lr sign(b1 m + (1 - b1) g)
        m = b2 m + (1 - b2) g

    {parameters}

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
    _rule = "lion"
    _conventions = ("keras", "optax", "paper")

    lr: Number = LR.but(
        1e-4,
        doc="Learning rate: the distance that each weight moves.  The authors "
        "use a third to a tenth of AdamW's, and a decay larger by that factor.",
        keras=1e-3,
    )
    betas: Pair = BETAS.but(
        (0.9, 0.99), doc="Weight of the mean m in the sign, and decay of m."
    )
    weight_decay: Number = DECOUPLED.but(optax=1e-3)
    _: KW_ONLY
    decoupled_weight_decay: Flag = DECOUPLES

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        b1, b2 = h["betas"]
        return lambda t, lr, decay: (decay, lr, 1 - b1, 1 - b2)
