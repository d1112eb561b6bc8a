"""Adagrad, RMSprop, Adadelta: steps divided by the root of squared gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from lrcore._shared.domains import FLAG, FRACTION, NONNEGATIVE
from lrcore.optimizers.base.common import COUPLED, EPS, LR, LR_IN_MOMENTUM
from lrcore.optimizers.base.fields import KW_ONLY, Field, Fixed, Flag, Number
from lrcore.optimizers.base.fold import Coefs
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["Adadelta", "Adagrad", "RMSprop"]

_EPS_INSIDE: Flag = Field(
    False, FLAG, "Add eps under the root, in units of g^2.", keras=True, optax=True
)


def _eps(h: Hyper) -> tuple[float, float]:
    """Return the numbers that are added under the root and to the root."""
    return (h["eps"], 0.0) if h["eps_inside"] else (0.0, h["eps"])


class Adagrad(Optimizer):
    """Adagrad: the gradient divided by the root of the sum of its squares.

    ::

        a = a + g^2
        p = p - lr / (1 + (t - 1) lr_decay) g / (sqrt(a) + eps)

    {parameters}

    References
    ----------
    Duchi, Hazan & Singer 2011, "Adaptive subgradient methods for online learning and
    stochastic optimization", Figure 1 with diagonal matrices.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(2)
    >>> lrcore.Adagrad(p, lr=0.5).step(np.array([3.0, -4.0]))
    True
    >>> p
    array([-0.5,  0.5])
    """

    __slots__ = ()
    _rule = "adagrad"
    _conventions = ("keras", "optax")

    lr: Number = LR.but(1e-2, keras=1e-3)
    lr_decay: Number = Field(0.0, NONNEGATIVE, "Decay of lr with the number of steps.")
    weight_decay: Number = COUPLED
    initial_accumulator_value: Fixed = Field(
        0.0,
        NONNEGATIVE,
        "Initial value of a, in units of g^2.",
        initial=True,
        keras=0.1,
        optax=0.1,
    )
    eps: Number = EPS.but(1e-10, keras=1e-7, optax=1e-7)
    _: KW_ONLY
    eps_inside: Flag = _EPS_INSIDE
    decoupled_weight_decay: Flag = Optimizer.decoupled_weight_decay.but(keras=True)

    @staticmethod
    def _initial(h: Hyper) -> Mapping[str, float | Literal["p"]]:
        return {"a": h["initial_accumulator_value"]}

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        lr_decay, added = h["lr_decay"], _eps(h)

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            return decay, lr / (1 + (t - 1) * lr_decay), *added

        return coefs


class RMSprop(Optimizer):
    """RMSprop: the gradient divided by its running root mean square.

    ::

        v = alpha v + (1 - alpha) g^2
        d = g / (sqrt(v) + eps)
        p = p - lr d                                            without momentum
        m = momentum m + d;  p = p - lr m                       with momentum
        mg = alpha mg + (1 - alpha) g;  v - mg^2 instead of v   centered

    {parameters}

    References
    ----------
    Tieleman & Hinton 2012, "Neural networks for machine learning", lecture 6e.
    Graves 2013, "Generating sequences with recurrent neural networks", eq. 38-41.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(2)
    >>> lrcore.RMSprop(p, lr=0.1).step(np.array([3.0, -4.0]))
    True
    >>> p.round(6)
    array([-1.,  1.])
    """

    __slots__ = ()
    _conventions = ("keras", "optax")

    lr: Number = LR.but(1e-2, keras=1e-3)
    alpha: Number = Field(
        0.99, FRACTION, "Decay of the running means.", keras=0.9, optax=0.9
    )
    eps: Number = EPS.but(keras=1e-7)
    weight_decay: Number = COUPLED
    momentum: Number = Field(
        0.0, NONNEGATIVE, "Momentum of the normalised gradient; 0: off."
    )
    centered: Flag = Field(
        False,
        FLAG,
        "Divide by the running standard deviation: subtract the square of the "
        "running mean mg.  Rounding cannot make the variance negative; "
        "in torch it can, which gives NaN.",
    )
    _: KW_ONLY
    eps_inside: Flag = _EPS_INSIDE
    lr_in_momentum: Flag = LR_IN_MOMENTUM.but(keras=True, optax=True)
    initial_accumulator_value: Fixed = Field(
        0.0, NONNEGATIVE, "Initial value of v, in units of g^2.", initial=True
    )
    decoupled_weight_decay: Flag = Optimizer.decoupled_weight_decay.but(keras=True)

    @classmethod
    def _rule_for(cls, h: Hyper) -> str:
        centered = "_centered" if h["centered"] else ""
        momentum = "_momentum" if h["momentum"] != 0 else ""
        return f"rmsprop{centered}{momentum}"

    @staticmethod
    def _initial(h: Hyper) -> Mapping[str, float | Literal["p"]]:
        return {"v": h["initial_accumulator_value"]}

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        w, added, mu = 1 - h["alpha"], _eps(h), h["momentum"]
        if not h["rule"].endswith("_momentum"):
            return lambda t, lr, decay: (decay, lr, w, *added)
        if h["lr_in_momentum"]:
            return lambda t, lr, decay: (decay, 1.0, w, *added, mu, lr)
        return lambda t, lr, decay: (decay, lr, w, *added, mu, 1.0)


class Adadelta(Optimizer):
    """Adadelta: steps in the units of p, from a running mean of its squared steps.

    ::

        v = rho v + (1 - rho) g^2
        u = sqrt(d + eps) / sqrt(v + eps) g
        d = rho d + (1 - rho) u^2
        p = p - lr u

    {parameters}

    References
    ----------
    Zeiler 2012, "ADADELTA: an adaptive learning rate method", Algorithm 1.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(2)
    >>> lrcore.Adadelta(p).step(np.array([3.0, -4.0]))
    True
    >>> p.round(5)
    array([-0.00316,  0.00316])
    """

    __slots__ = ()
    _rule = "adadelta"
    _conventions = ("keras", "optax", "paper")

    lr: Number = LR.but(1.0, doc="Multiplies the step; not in the paper.", keras=1e-3)
    rho: Number = Field(
        0.9, FRACTION, "Decay of the running means.", keras=0.95, paper=0.95
    )
    eps: Number = EPS.but(
        1e-6, doc="Added under both roots, in units of g^2.", keras=1e-7
    )
    weight_decay: Number = COUPLED
    _: KW_ONLY
    decoupled_weight_decay: Flag = Optimizer.decoupled_weight_decay.but(keras=True)

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        w, eps = 1 - h["rho"], h["eps"]
        return lambda t, lr, decay: (decay, lr, w, eps)
