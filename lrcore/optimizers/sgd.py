"""Gradient descent: SGD, SGDW, ASGD."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

from lrcore._shared.words import shown
from lrcore.optimizers.base import averages
from lrcore.optimizers.base.domains import NONNEGATIVE, Domains
from lrcore.optimizers.base.fold import Coefs
from lrcore.optimizers.base.keywords import Common, Hyper, Scheduled
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["ASGD", "SGD", "SGDW"]


class MomentumFlags(Common, total=False):
    """Keyword-only flags of SGD."""

    lr_in_momentum: bool
    dampen_first_step: bool


class SGD(Optimizer):
    """Gradient descent, optionally with momentum.

    ::

        p = p - lr g                                     without momentum
        m = momentum m + (1 - dampening) g;  m = g at first
        p = p - lr m                                     with momentum
        p = p - lr (g + momentum m)                      with Nesterov momentum

    Parameters
    ----------
    {params}
    lr : float or schedule
        Learning rate.  Default 1e-3.
    momentum : float or schedule
        At least 0; with 0 there is no state, and p moves by lr g.  Default 0.
    dampening : float or schedule
        Takes effect from the second step on.  Default 0.
    {coupled}
    nesterov : bool
        Look ahead by a step of momentum.  Needs a momentum and no dampening.
        Default False.
    {flags}
    {common}

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
    _flags: ClassVar[Hyper] = {"lr_in_momentum": False, "dampen_first_step": False}
    _flags_doc = """\
lr_in_momentum : bool
        Let m gather lr g, so that a change of lr acts on later gradients only.
        Default False.
    dampen_first_step : bool
        Begin with m = (1 - dampening) g.  Default False."""
    _conventions: ClassVar[dict[str, Hyper]] = {
        "keras": {"lr": 0.01, "lr_in_momentum": True, "decoupled_weight_decay": True},
        "optax": {},
    }

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-3,
        momentum: Scheduled = 0.0,
        dampening: Scheduled = 0.0,
        weight_decay: Scheduled = 0.0,
        nesterov: bool = False,
        **common: Unpack[MomentumFlags],
    ) -> None:
        hyper = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
        }
        super().__init__(params, hyper, common)

    @staticmethod
    def _rule(h: Hyper) -> str:
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

    Parameters
    ----------
    {params}
    lr, momentum, dampening, nesterov
        As of SGD.
    {decoupled}
    {flags}
    {common}

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
    _decoupled = True
    _conventions: ClassVar[dict[str, Hyper]] = {}

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-3,
        momentum: Scheduled = 0.0,
        dampening: Scheduled = 0.0,
        weight_decay: Scheduled = 1e-2,
        nesterov: bool = False,
        **common: Unpack[MomentumFlags],
    ) -> None:
        super().__init__(
            params, lr, momentum, dampening, weight_decay, nesterov, **common
        )


class ASGD(Optimizer):
    """Averaged SGD: gradient descent at a falling rate, and the mean of its params.

    ::

        eta = lr / (1 + lambd lr (t - 1))^alpha
        p = (1 - lambd eta) p - eta g
        ax = ax + (p - ax) / max(1, t - 1 - t0)

    ax is p until step t0 + 2.  It is the result of the training: ``opt.ax``, or ``with
    opt.averaged("ax"):``.

    Parameters
    ----------
    {params}
    lr : float or schedule
        Learning rate of the first step.  Default 1e-2.
    lambd : float or schedule
        Decay of p, and with it of eta.  Default 1e-4.
    alpha : float or schedule
        Power by which eta falls.  Default 0.75.
    t0 : float
        Step from which on to average.  Default 1e6.
    {coupled}
    {common}

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
    _domains: ClassVar[Domains] = {
        "lambd": NONNEGATIVE,
        "alpha": NONNEGATIVE,
        "t0": NONNEGATIVE._replace(fixed=True),
    }

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-2,
        lambd: Scheduled = 1e-4,
        alpha: Scheduled = 0.75,
        t0: float = 1e6,
        weight_decay: Scheduled = 0.0,
        **common: Unpack[Common],
    ) -> None:
        hyper = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
        }
        super().__init__(params, hyper, common)

    @property
    def ax(self) -> Any:
        """The average of the params."""
        return self._average("ax")

    @staticmethod
    def _rule(h: Hyper) -> str:
        return "sgd"

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
