"""Steps along the gradient, and by its sign."""

from __future__ import annotations

from typing import Any, Unpack

from lrcore.optimizers._base import Common, Optimizer, Scheduled
from lrcore.optimizers._hyper import Coefs, Hyper

__all__ = ["SGD", "Rprop"]


class SGD(Optimizer):
    """Gradient descent, with momentum where asked for.

    ::

        p = p - lr g                                     without momentum
        m = momentum m + (1 - dampening) g;  m = g at first
        p = p - lr m                                     with it
        p = p - lr (g + momentum m)                      with Nesterov's

    Parameters
    ----------
    {params}
    lr : float or schedule
        Learning rate.  Default 1e-3.
    momentum : float or schedule
        At least 0; with 0 there is no state, and p moves by lr g.  Default 0.
    dampening : float or schedule
        Takes effect from the second step on.  Default 0.
    weight_decay : float or schedule
        Added to the gradient as ``weight_decay * p`` (an L2 penalty).  Default 0.
    nesterov : bool
        Look ahead by a step of momentum.  Needs a momentum and no dampening.
        Default False.
    {common}

    References
    ----------
    Polyak 1964, "Some methods of speeding up the convergence of iteration methods".
    Sutskever et al. 2013, "On the importance of initialization and momentum in deep
    learning", eq. 3-4; as in torch, lr stands outside of the momentum.

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

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-3,
        momentum: Scheduled = 0.0,
        dampening: Scheduled = 0.0,
        weight_decay: Scheduled = 0.0,
        nesterov: bool = False,
        **common: Unpack[Common],
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
                f"momentum={h['momentum']!r}, dampening={h['dampening']!r}"
            )
        if h["momentum"] == 0:
            return "sgd"
        return "nesterov" if h["nesterov"] else "momentum"

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        mu, w = h["momentum"], 1 - h["dampening"]

        def coefs(t: int, lr: float) -> tuple[float, ...]:
            return (lr, 0.0, 1.0, 1.0, mu) if t == 1 else (lr, mu, w, 1.0, mu)

        return coefs


class Rprop(Optimizer):
    """Rprop: by the sign of the gradient, with a step size of each weight's own.

    ::

        d = d eta+ where g and the last g agree in sign, d eta- where they do not
        p = p - sign(g) d, and p stays where they do not

    For full batches: it takes the size of the gradient for noise.

    Parameters
    ----------
    {params}
    lr : float or schedule
        Step size of the first step; later ones grow and shrink from there.  Default
        1e-2.
    etas : (float, float)
        Factors eta- in [0, 1) and eta+ above 1.  Default (0.5, 1.2).
    step_sizes : (float, float)
        Least and greatest step size.  Default (1e-6, 50).
    weight_decay : float or schedule
        Added to the gradient as ``weight_decay * p`` (an L2 penalty).  Default 0.
    {common}

    References
    ----------
    Riedmiller & Braun 1993, "A direct adaptive method for faster backpropagation
    learning: the RPROP algorithm"; without weight backtracking, as in torch: iRprop- of
    Igel & Huesken 2003, "Empirical evaluation of the improved Rprop learning
    algorithms".

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

        def coefs(t: int, lr: float) -> tuple[float, ...]:
            return (1.0, lr, 0.0, *numbers) if t == 1 else (1.0, 0.0, 1.0, *numbers)

        return coefs
