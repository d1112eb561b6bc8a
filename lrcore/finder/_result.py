"""The result of a range test, which can be set and adopted."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from os import PathLike
from typing import TYPE_CHECKING

from lrcore._shared.words import shown
from lrcore.finder._outcome import Outcome
from lrcore.finder._ratios import ratios
from lrcore.finder._text import as_html, as_text
from lrcore.finder._trained import Trained
from lrcore.optimizers.base.optimizer import Optimizer

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class RangeTest(Outcome):
    """The result of a range test.

    Attributes
    ----------
    lrs, losses : ndarray of float64
        The rates, and the loss before the step at each; the last may not be finite.
    smoothed : ndarray of float64
        Debiased exponential averages of the losses over log lr.
    suggestions : dict of float
        The rate that each rule reads off `smoothed`; empty if there are too few points.
    suggestion : float
        The rate to train at; NaN if there is none.
    confidence : float
        Confidence in the suggestion, in [0, 1].
    reason : str
        The reason for the suggestion; without one, what to change.
    trial_lrs, trial_losses : ndarray of float64
        The rates that raced, rising, and the mean loss of the last third of the steps
        that each has taken; infinite if it diverged.
    trial_steps : ndarray of int
        The number of these steps.
    evaluations : int
        How many losses the test took.
    """

    _trained: Trained | None = None

    def plot(self, path: str | PathLike[str] | None = None) -> Figure:
        """Draw the range test, as `lrcore.plots.range_test` does."""
        from lrcore.finder import _picture

        return _picture.range_test(self, path)

    def apply(self, opt: Optimizer) -> None:
        """Set the first group's rate to the suggestion; others keep their ratio to it.

        To train with a schedule of this peak, make one for each group afterwards::

            found.apply(opt)
            for group in opt.param_groups:
                group["lr"] = Cosine(group["lr"], total=1000).warmup(100)

        The lr of an optimizer of lrcore.torch is set by ``found.apply(opt.core)``.

        Raises
        ------
        TypeError, ValueError
            It is no optimizer, there is no suggestion, a group's lr is a schedule, or
            the first group's lr is 0 and there are others.  Nothing is set then.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> W, b = np.ones(2), np.ones(1)
        >>> groups = [{"params": W}, {"params": b, "lr": 0.01}]
        >>> opt = lrcore.SGD(groups, lr=0.1)
        >>> def loss_and_grad(_):
        ...     return (W @ W + b @ b) / 2, [W.copy(), b.copy()]
        >>> lrcore.lr_find(opt, loss_and_grad, [0]).apply(opt)
        >>> [round(group["lr"], 3) for group in opt.param_groups]
        [1.0, 0.1]
        """
        rates = self._rates(opt)
        for group, lr in zip(opt.param_groups, rates, strict=True):
            if callable(group["lr"]):
                group["lr"].set_lr(lr)
            else:
                group["lr"] = lr

    def adopt(self, opt: Optimizer) -> None:
        """Go on from where the winner of the race ended, so that its steps count.

        The params, the optimizer's state, its count of steps and its averages, the
        arrays in `also` and the random generators become what they were after the last
        step of the rate nearest to the suggestion, to the bit.  The groups get the
        rates that `apply` sets.  The batches that it has seen are the first ones of
        `batches`.

        Raises
        ------
        TypeError, ValueError
            As for `apply`; and if it is not the optimizer that was tested, or the
            winner has nothing to adopt: the test had no race or ended early, or the
            trials ran through a schedule to its end.
        RuntimeError
            The optimizer has taken steps since the test, or its params have changed.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> w = np.ones(2)
        >>> opt = lrcore.SGD(w)
        >>> found = lrcore.lr_find(opt, lambda _: (w @ w / 2, w.copy()), [0])
        >>> found.adopt(opt)
        >>> opt.t
        200
        """
        rates = self._rates(opt)
        if self._trained is None:
            raise ValueError(
                "adopt: expected the result of a race, found one without a trial that "
                f"can go on ({self.reason}); use apply, which sets only the rate"
            )
        self._trained.adopt(opt, rates)

    def _rates(self, opt: Optimizer) -> list[float]:
        """Return the rate that each group is to have, or say why it cannot."""
        kept = ratios(opt)
        if not isfinite(self.suggestion):
            raise ValueError(
                f"suggestion: expected a rate, found {self.suggestion}: {self.reason}"
            )
        for k, group in enumerate(opt.param_groups):
            settable = getattr(group["lr"], "settable", False)  # of lrcore.torch
            if callable(group["lr"]) and not settable:
                raise ValueError(
                    f"opt: expected a number as the lr of param_groups[{k}], found "
                    f"{shown(group['lr'])}, which the suggestion would replace; set a "
                    "number, apply, and make the schedule of what is set then"
                )
        return [self.suggestion * ratio for ratio in kept]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_trained": None}  # a copy has nothing to adopt

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        return as_html(self)
