"""Gradient descent: SGD, SGDW, ASGD."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lrcore._shared.domains import FINITE, FLAG, NONNEGATIVE
from lrcore._shared.words import shown
from lrcore.optimizers.base import averages
from lrcore.optimizers.base.common import COUPLED, DECOUPLED, DECOUPLES, LR
from lrcore.optimizers.base.fields import KW_ONLY, Field, Fixed, Flag, Number
from lrcore.optimizers.base.fold import Coefs
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["ASGD", "SGD", "SGDW"]


class SGD(Optimizer):
    """Gradient descent, optionally with momentum.

    ::

        p = p - lr g                                     without momentum
        m = momentum m + (1 - dampening) g;  m = g at first
        p = p - lr m                                     with momentum
        p = p - lr (g + momentum m)                      with Nesterov momentum

    {parameters}

    References
    ----------
    Polyak 1964, "Some methods of speeding up the convergence of iteration methods".
    Sutskever et al. 2013, "On the importance of initialization and momentum in deep
    learning", eq. 3-4, with lr outside of the momentum, as in torch.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(2)
    >>> opt = lrcore.SGD(p, lr=0.1, momentum=0.9)
    >>> opt.step(np.ones(2)), opt.step(np.ones(2))
    (True, True)
    >>> p.round(6)
    array([-0.29, -0.29])
    """

    __slots__ = ()
    _conventions: ClassVar[tuple[str, ...]] = ("keras", "optax")

    lr: Number = LR.but(keras=1e-2)
    momentum: Number = Field(
        0.0, NONNEGATIVE, "At least 0; with 0 there is no state and p moves by lr g."
    )
    dampening: Number = Field(0.0, FINITE, "Reduces the weight of g in m after step 1.")
    weight_decay: Number = COUPLED
    nesterov: Flag = Field(
        False,
        FLAG,
        "Use Nesterov momentum.  It needs a momentum and no dampening.",
    )
    _: KW_ONLY
    lr_in_momentum: Flag = Field(
        False,
        FLAG,
        "Accumulate lr g in m: a change of lr then acts on later gradients only.",
        keras=True,
    )
    dampen_first_step: Flag = Field(False, FLAG, "Start with m = (1 - dampening) g.")
    decoupled_weight_decay: Flag = Optimizer.decoupled_weight_decay.but(keras=True)

    @classmethod
    def _rule_for(cls, h: Hyper) -> str:
        if h["nesterov"] and (h["momentum"] == 0 or h["dampening"] != 0):
            raise ValueError(
                "nesterov: needs a momentum and no dampening, found "
                f"momentum={shown(h['momentum'])}, dampening={shown(h['dampening'])}"
            )
        if h["momentum"] == 0:
            return "sgd"
        return "nesterov" if h["nesterov"] else "momentum"

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        mu, w = h["momentum"], 1 - h["dampening"]
        inside, dampen_first = h["lr_in_momentum"], h["dampen_first_step"]

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            if t == 1 and not dampen_first:
                now, share = 0.0, 1.0
            else:
                now, share = mu, w
            if inside:
                return decay, 1.0, now, lr * share, lr, mu
            return decay, lr, now, share, 1.0, mu

        if h["rule"] == "sgd":
            return lambda t, lr, decay: (decay, lr)
        return coefs


class SGDW(SGD):
    """SGD with decoupled weight decay: ``p *= 1 - lr * weight_decay``, then SGD.

    {parameters}

    References
    ----------
    Loshchilov & Hutter 2019, "Decoupled weight decay regularization", Algorithm 1, with
    the decay multiplied by lr.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.ones(2)
    >>> lrcore.SGDW(p, lr=0.1, weight_decay=0.5).step(np.zeros(2))
    True
    >>> p
    array([0.95, 0.95])
    """

    __slots__ = ()
    _conventions = ()

    weight_decay: Number = DECOUPLED.but(1e-2)
    _: KW_ONLY
    decoupled_weight_decay: Flag = DECOUPLES


class ASGD(Optimizer):
    """Averaged SGD: gradient descent at a falling rate, and the mean of its params.

    ::

        eta = lr / (1 + lambd lr (t - 1))^alpha
        p = (1 - lambd eta) p - eta g
        ax = ax + (p - ax) / max(1, t - 1 - t0)

    ax is p until step t0 + 2.  It is the result of the training: ``opt.ax``, or ``with
    opt.averaged("ax"):``.

    {parameters}

    References
    ----------
    Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging".
    Bottou 2010, "Large-scale machine learning with stochastic gradient descent", eq. 7;
    lambd, alpha and t0 are those of torch.  (With a schedule, torch computes eta from
    the lr of the step before.)

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros(2)
    >>> opt = lrcore.ASGD(p, lr=0.5, lambd=0.0, t0=0)
    >>> for g in (1.0, 2.0, -1.0):
    ...     _ = opt.step(np.full(2, g))
    >>> p, opt.ax
    (array([-1., -1.]), array([-1.25, -1.25]))
    """

    __slots__ = ()
    _rule = "sgd"

    lr: Number = LR.but(1e-2, doc="Learning rate of the first step.")
    lambd: Number = Field(1e-4, NONNEGATIVE, "Strength of the decay of p and eta.")
    alpha: Number = Field(0.75, NONNEGATIVE, "Power in the decay of eta.")
    t0: Fixed = Field(1000000.0, NONNEGATIVE, "Average from this step on.", fixed=True)
    weight_decay: Number = COUPLED

    @property
    def ax(self) -> Any:
        """The average of the params."""
        return self._average("ax")

    @staticmethod
    def _averages(h: Hyper) -> Mapping[str, averages.Weight]:
        t0, first = h["t0"], _first(h)

        def weight(t: int) -> float:
            return 0.0 if t < first else 1 / max(1, t - 1 - t0)

        return {**averages.common(h), "ax": weight}

    @staticmethod
    def _begins(h: Hyper) -> Mapping[str, int]:
        return {**averages.begins(h), "ax": _first(h)}

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        lambd, alpha = h["lambd"], h["alpha"]

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            eta = lr / (1 + lambd * lr * (t - 1)) ** alpha
            return decay * (1 - lambd * eta), eta

        return coefs


def _first(h: Hyper) -> int:
    """Return the last step at which ASGD's average is p: the first that is kept."""
    return int(h["t0"]) + 2
