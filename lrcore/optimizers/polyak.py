"""The learning rate from the loss and a lower bound of it: the Polyak step."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, ClassVar, Unpack

from lrcore._shared.bounds import LARGEST_RATE
from lrcore._shared.numbers import real
from lrcore.optimizers.base.domains import (
    FINITE,
    GROWTH,
    NONNEGATIVE,
    POSITIVE,
    Domain,
    Domains,
)
from lrcore.optimizers.base.fold import Adapt, Numbers, decay_at
from lrcore.optimizers.base.keywords import Common, Hyper, Scheduled
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["SPS"]


class SPS(Optimizer):
    """SPS: gradient descent by the stochastic Polyak step, from the loss.

    ::

        rate = min((loss - f_min) / (c |g|^2 + eps), max_lr, growth_rate rate)
        p = p - lr rate g

    where the norm is over all arrays of all groups.  `step` also takes the loss of the
    gradients; if it is below f_min, the rate is 0.  ``opt.state[0]["rate"]`` is the
    last rate above 0.  The norm is that of clipped gradients, so clipping makes the
    rate higher: limit steps by max_lr instead.

    Parameters
    ----------
    {params}
    lr : float or schedule
        Multiplies the rate that is found.  Default 1.
    f_min : float or schedule
        A bound below the loss of every batch, as near to its least as is known: 0 for a
        model that can fit all data.  Default 0.
    c : float or schedule
        What the rate is divided by; 1/2 is best for convex losses.  Default 0.5.
    max_lr : float or schedule
        The highest rate: what bounds it where f_min is too low.  Default 1.
    growth_rate : float or schedule
        By which factor the rate may grow from one step to the next, at least 1; the
        authors' code takes 2^(1 / steps per epoch).  Default inf.
    eps : float or schedule
        In units of |g|^2.  Default 1e-8.
    {decoupled}
    {common}

    References
    ----------
    Loizou, Vaswani, Laradji & Lacoste-Julien 2021, "Stochastic Polyak step-size for
    SGD: an adaptive learning rate for fast convergence", eq. 3 (SPS_max) and section 4
    (growth_rate).  Garrigos, Gower & Schaipp 2023, "Function value learning" (a rate of
    0 if the loss is below f_min).

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.array([3.0, -4.0])
    >>> opt = lrcore.SPS(p)
    >>> opt.step(2 * p, loss=(p * p).sum())
    True
    >>> abs(p).max() < 1e-6
    np.True_
    """

    __slots__ = ()
    _decoupled = True
    _gauge = "norm"
    _sums_all = True
    _carries = ("gathered_loss", "rate")
    _domains: ClassVar[Domains] = {
        "f_min": FINITE,
        "c": POSITIVE,
        "max_lr": Domain(lambda x: x > 0, "a number > 0"),
        "growth_rate": GROWTH,
        "eps": NONNEGATIVE,
    }
    _conventions: ClassVar[Mapping[str, Hyper]] = {"optax": {"c": 1.0, "eps": 0.0}}

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1.0,
        f_min: Scheduled = 0.0,
        c: Scheduled = 0.5,
        max_lr: Scheduled = 1.0,
        growth_rate: Scheduled = inf,
        eps: Scheduled = 1e-8,
        weight_decay: Scheduled = 0.0,
        **common: Unpack[Common],
    ) -> None:
        hyper = {
            "lr": lr,
            "f_min": f_min,
            "c": c,
            "max_lr": max_lr,
            "growth_rate": growth_rate,
            "eps": eps,
            "weight_decay": weight_decay,
        }
        super().__init__(params, hyper, common)

    @staticmethod
    def _rule(h: Hyper) -> str:
        return "sgd"

    @staticmethod
    def _fold(h: Hyper) -> Adapt:
        f_min, c, eps, decay_by = h["f_min"], h["c"], h["eps"], decay_at(h)
        max_lr, growth = h["max_lr"], h["growth_rate"]

        def coefs(
            t: int, lr: float, decay: float, carried: Numbers, sums: Numbers
        ) -> tuple[Numbers, Numbers, float]:
            (gathered, last), (gg, loss) = carried, sums
            gap = max(gathered + loss - f_min, 0.0)
            below = c * gg + eps
            most = min(max_lr, growth * last) if last else max_lr
            rate = 0.0
            if 0 < gg < inf:
                rate = most if gap >= most * below else gap / below
                rate = min(rate, LARGEST_RATE)
            last, rate = rate or last, lr * rate
            return (0.0, last), (decay_by(rate), rate), rate

        return coefs

    def step(  # type: ignore[override] # it takes the loss, too
        self, grads: Any, loss: float
    ) -> bool:
        """Update the params in place from the loss and its gradients.

        Parameters
        ----------
        grads : of the same structure as params
            As of every optimizer.
        loss : float
            The loss that they are of: of the same batch, without the loss scale, with
            the penalty where there is an `l2`; with `maximize`, minus what is ascended.
            Where it is not finite, `skip_nonfinite` and a LossScaler skip the step;
            otherwise infinity asks for max_lr, and NaN makes all params NaN.

        Returns
        -------
        bool
            Whether the params were updated: see `Optimizer.step`.

        Raises
        ------
        TypeError, ValueError
            The loss is no number; as of every optimizer.  Nothing has been written
            then.
        RuntimeError
            It is in a step already.
        """
        return self._step(grads, loss)

    def _step(
        self,
        grads: Any,
        loss: float | None,
        grad_scale: float = 1.0,
        skip_nonfinite: bool = False,
    ) -> bool:
        what = "a number, that of the batch the gradients are of"
        told = real("loss", loss, what)
        applied: bool = self._plan.step(grads, grad_scale, skip_nonfinite, told)
        return applied
