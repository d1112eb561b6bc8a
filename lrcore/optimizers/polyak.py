"""The learning rate from the loss and a lower bound of it: the Polyak step."""

from __future__ import annotations

from math import inf
from typing import Any

from lrcore._shared.bounds import LARGEST_RATE
from lrcore._shared.domains import ABOVE_ZERO, FINITE, FROM_ONE, POSITIVE, real
from lrcore.optimizers.base.common import DECOUPLED, DECOUPLES, EPS, LR
from lrcore.optimizers.base.fields import KW_ONLY, Field, Flag, Number
from lrcore.optimizers.base.fold import Adapt, Numbers, decay_at
from lrcore.optimizers.base.keywords import Hyper
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

    {parameters}

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
    _rule = "sgd"
    _gauge = "norm"
    _sums_all = True
    _carries = ("gathered_loss", "rate")
    _nonnegative = ("rate",)
    _conventions = ("optax",)

    lr: Number = LR.but(1.0, doc="Multiplies the computed rate.")
    f_min: Number = Field(
        0.0,
        FINITE,
        "A lower bound of the loss of every batch, as tight as possible: 0 for a "
        "model that can fit all data.",
    )
    c: Number = Field(
        0.5,
        POSITIVE,
        "Divides the rate; 1/2 is best for convex losses.",
        optax=1.0,
    )
    max_lr: Number = Field(
        1.0, ABOVE_ZERO, "Upper bound of the rate, needed if f_min is too low."
    )
    growth_rate: Number = Field(
        inf,
        FROM_ONE,
        "Largest factor by which the rate grows in a step; the authors' code uses "
        "2^(1 / steps per epoch).",
    )
    eps: Number = EPS.but(doc="Added to ``c |g|^2``.", optax=0.0)
    weight_decay: Number = DECOUPLED
    _: KW_ONLY
    decoupled_weight_decay: Flag = DECOUPLES

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

    def step(self, grads: Any, loss: float | None = None) -> bool:
        """Update the params in place from the loss and its gradients.

        Parameters
        ----------
        grads : of the same structure as params
            As of every optimizer.
        loss : float
            The loss that has these gradients, which this optimizer needs: of the same
            batch, without the loss scale, with the penalty if there is an `l2`; with
            `maximize`, minus the objective.  If it is not finite, `skip_nonfinite`
            and a LossScaler skip the step; otherwise infinity asks for max_lr, and NaN
            makes all params NaN.

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
        what = "a number, the loss of the batch that the gradients come from"
        try:
            if loss is None:
                raise TypeError(
                    f"loss: expected {what}, found None; "
                    "SPS computes its rate from it: step(grads, loss)"
                )
            loss = real("loss", loss, what)
        except (TypeError, ValueError) as error:
            if self._ranks is not None:
                self._ranks.tell(error)
            raise
        applied: bool = self._plan.step(grads, loss)
        return applied

    def flush(self) -> bool:
        """Update by the mean of the gathered gradients: see `Optimizer.flush`."""
        # Each loss was divided by `accumulate`; the mean of fewer losses is larger.
        more = self.accumulate / max(self._plan.gathered, 1) - 1
        loss = float(self.state[0]["gathered_loss"]) * more
        applied: bool = self._plan.flush(loss)
        return applied
