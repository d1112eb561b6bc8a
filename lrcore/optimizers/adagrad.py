"""Adagrad, RMSprop, Adadelta: steps divided by the root of squared gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Unpack

from lrcore.optimizers.base.fold import Coefs
from lrcore.optimizers.base.keywords import Common, Hyper, Scheduled
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["Adadelta", "Adagrad", "RMSprop"]


class EpsFlags(Common, total=False):
    """Keyword-only flags of Adagrad."""

    eps_inside: bool


class RMSpropFlags(EpsFlags, total=False):
    """Keyword-only flags of RMSprop."""

    lr_in_momentum: bool
    initial_accumulator_value: float


_EPS_DOC = """\
eps_inside : bool
        Add eps under the root, in units of g^2.  Default False."""


def _eps(h: Hyper) -> tuple[float, float]:
    """Return what is added under the root, and to it."""
    return (h["eps"], 0.0) if h["eps_inside"] else (0.0, h["eps"])


class Adagrad(Optimizer):
    """Adagrad: the gradient divided by the root of the sum of its squares.

    ::

        a = a + g^2
        p = p - lr / (1 + (t - 1) lr_decay) g / (sqrt(a) + eps)

    Parameters
    ----------
    {params}
    lr : float or schedule
        Learning rate.  Default 1e-2.
    lr_decay : float or schedule
        Its decay with the number of steps.  Default 0.
    {coupled}
    initial_accumulator_value : float
        What a begins with, in units of g^2.  Default 0.
    eps : float or schedule
        Added to the root, in units of g.  Default 1e-10.
    {flags}
    {common}

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
    _flags: ClassVar[Hyper] = {"eps_inside": False}
    _flags_doc = _EPS_DOC
    _conventions: ClassVar[dict[str, Hyper]] = {
        "keras": {
            "lr": 1e-3,
            "initial_accumulator_value": 0.1,
            "eps": 1e-7,
            "eps_inside": True,
            "decoupled_weight_decay": True,
        },
        "optax": {"initial_accumulator_value": 0.1, "eps": 1e-7, "eps_inside": True},
    }

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-2,
        lr_decay: Scheduled = 0.0,
        weight_decay: Scheduled = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: Scheduled = 1e-10,
        **common: Unpack[EpsFlags],
    ) -> None:
        hyper = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
        }
        super().__init__(params, hyper, common)

    @staticmethod
    def _rule(h: Hyper) -> str:
        return "adagrad"

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

    Parameters
    ----------
    {params}
    lr : float or schedule
        Learning rate.  Default 1e-2.
    alpha : float or schedule
        Decay of the running means, in [0, 1).  Default 0.99.
    eps : float or schedule
        Added to the root, in units of g.  Default 1e-8.
    {coupled}
    momentum : float or schedule
        Of the normalised gradient, at least 0.  Default 0.
    centered : bool
        Divide by the running standard deviation: subtract the square of the running
        mean mg.  The variance is kept from turning negative by rounding,
        where torch can return NaN.  Default False.
    {flags}
    {common}

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
    _flags: ClassVar[Hyper] = {
        "eps_inside": False,
        "lr_in_momentum": False,
        "initial_accumulator_value": 0.0,
    }
    _flags_doc = (
        _EPS_DOC
        + """
    lr_in_momentum : bool
        Let m gather lr d, so that a change of lr acts on later gradients only.
        Default False.
    initial_accumulator_value : float
        What v begins with, in units of g^2.  Default 0."""
    )
    _conventions: ClassVar[dict[str, Hyper]] = {
        "keras": {
            "lr": 1e-3,
            "alpha": 0.9,
            "eps": 1e-7,
            "eps_inside": True,
            "lr_in_momentum": True,
            "decoupled_weight_decay": True,
        },
        "optax": {"alpha": 0.9, "eps_inside": True, "lr_in_momentum": True},
    }

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-2,
        alpha: Scheduled = 0.99,
        eps: Scheduled = 1e-8,
        weight_decay: Scheduled = 0.0,
        momentum: Scheduled = 0.0,
        centered: bool = False,
        **common: Unpack[RMSpropFlags],
    ) -> None:
        hyper = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
        }
        super().__init__(params, hyper, common)

    @staticmethod
    def _rule(h: Hyper) -> str:
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

    Parameters
    ----------
    {params}
    lr : float or schedule
        Factor of the step; the paper has none.  Default 1.
    rho : float or schedule
        Decay of the running means, in [0, 1).  Default 0.9.
    eps : float or schedule
        Added under both roots, in units of g^2.  Default 1e-6.
    {coupled}
    {common}

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
    _conventions: ClassVar[dict[str, Hyper]] = {
        "keras": {
            "lr": 1e-3,
            "rho": 0.95,
            "eps": 1e-7,
            "decoupled_weight_decay": True,
        },
        "optax": {},
        "paper": {"rho": 0.95},
    }

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1.0,
        rho: Scheduled = 0.9,
        eps: Scheduled = 1e-6,
        weight_decay: Scheduled = 0.0,
        **common: Unpack[Common],
    ) -> None:
        hyper = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, hyper, common)

    @staticmethod
    def _rule(h: Hyper) -> str:
        return "adadelta"

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        w, eps = 1 - h["rho"], h["eps"]
        return lambda t, lr, decay: (decay, lr, w, eps)
