"""Dynamic loss scaling, for gradients that are computed in a narrow float."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, ClassVar

from lrcore._core import Commit
from lrcore._shared.domains import ABOVE_ONE, INSIDE, POSITIVE, count
from lrcore._shared.foreign import no_optimizer
from lrcore._stateful import Check, Stateful, counted
from lrcore.optimizers.base.optimizer import Optimizer

# In float32, the inverse of a scale below 2^-128 is infinite.
_LEAST = 2.0**-100


def _floored(name: str, value: Any) -> float:
    scale: float = POSITIVE.check(name, value)
    return max(scale, _LEAST)


def _checked(opt: Any) -> Optimizer:
    if not isinstance(opt, Optimizer):
        raise no_optimizer(opt)
    return opt


class LossScaler(Stateful):
    """A loss scale that grows while gradients are finite, and shrinks when one is not.

    Multiply the loss by `scale` (or the gradient that the backward pass starts from),
    so that small gradients do not vanish in float16; ``step`` divides the gradients by
    it::

        grads = backward(loss * scaler.scale)
        applied = scaler.step(opt, grads)

    If a gradient is not finite, params and state stay as they are, and the scale is
    multiplied by backoff_factor.  After growth_interval steps in a row with finite
    gradients, it is multiplied by growth_factor.

    Parameters
    ----------
    init_scale : float
        The first scale, > 0; a smaller one than 2^-100 becomes 2^-100.  Default 65536.
    growth_factor : float
        The factor after growth_interval good steps, > 1.  Default 2.
    backoff_factor : float
        The factor after a gradient that is not finite, in (0, 1).  Default 0.5.
    growth_interval : int
        The number of steps from one growth to the next, >= 1.  Default 2000.

    Attributes
    ----------
    scale : float
        The factor of the loss; settable.
    growth_tracker : int
        The number of steps in a row, so far, with finite gradients.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain.

    References
    ----------
    Micikevicius et al. 2018, "Mixed precision training", section 3.2; the names,
    defaults and sequence are those of torch's ``GradScaler``.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p, scaler = np.zeros(1), lrcore.LossScaler(init_scale=4.0)
    >>> opt = lrcore.SGD(p, lr=1.0)
    >>> scaler.step(opt, np.array([np.inf])), scaler.scale
    (False, 2.0)
    >>> scaler.step(opt, np.array([2.0])), p
    (True, array([-1.]))
    """

    __slots__ = (
        "_scale",
        "backoff_factor",
        "growth_factor",
        "growth_interval",
        "growth_tracker",
    )

    _config = ("growth_factor", "backoff_factor", "growth_interval")
    _changing: ClassVar[Mapping[str, Check]] = {
        "_scale": _floored,
        "growth_tracker": counted,
    }

    def __init__(
        self,
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
    ) -> None:
        self._scale = _floored("init_scale", init_scale)
        self.growth_factor = ABOVE_ONE.check("growth_factor", growth_factor)
        self.backoff_factor = INSIDE.check("backoff_factor", backoff_factor)
        self.growth_interval: int = count(1).check("growth_interval", growth_interval)
        self.growth_tracker = 0

    @property
    def scale(self) -> float:
        """The factor of the loss."""
        return self._scale

    @scale.setter
    def scale(self, value: float) -> None:
        self._scale = _floored("scale", value)

    def step(self, opt: Optimizer, grads: Any, loss: float | None = None) -> bool:
        """Step with gradients of the scaled loss, and update the scale.

        It calls ``opt.step``, an override in a subclass too, in a block of
        ``opt.scaled(1 / scale)``: gradients are multiplied by ``opt.grad_scale /
        scale``, and the step is skipped if one is not finite, whatever
        ``opt.skip_nonfinite`` says.  While the optimizer gathers (``accumulate``), the
        scale stays.

        Parameters
        ----------
        opt : Optimizer
            Is stepped.
        grads : of the same structure as params
            Gradients of ``scale * loss``, as ``opt.step`` takes them.
        loss : float, optional
            The unscaled loss, which is handed on to ``opt.step`` if it is given.

        Returns
        -------
        bool
            As ``opt.step``: whether the params were updated.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As for ``opt.step``; or `opt` is no optimizer.  The scale has not changed
            then.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> p, scaler = np.zeros(1), lrcore.LossScaler(init_scale=4.0)
        >>> opt = lrcore.SGD(p, lr=1.0)
        >>> scaler.step(opt, np.array([8.0])), scaler.step(opt, np.array([np.inf]))
        (True, False)
        >>> p, scaler.scale
        (array([-2.]), 2.0)
        """
        given = () if loss is None else (loss,)
        before = _checked(opt)._plan.t
        with opt.scaled(1 / self._scale):
            applied = opt.step(grads, *given)
        # While it gathers nothing is known, nor from a step without any gradient.
        if applied or (opt._plan.t == before and not opt._plan.gathered):
            self._adapt(finite=applied or opt._plan.spike)
        return applied

    def flush(self, opt: Optimizer) -> bool:
        """Step by the mean of the gradients gathered so far, and update the scale.

        As ``opt.flush()``, for the end of an epoch.  Each gradient has the scale of its
        own call.

        Parameters
        ----------
        opt : Optimizer
            Is stepped, if it has gathered gradients.

        Returns
        -------
        bool
            As ``opt.flush``: whether the params were updated.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As for ``opt.flush``; or `opt` is no optimizer.  The scale has not changed
            then.

        Examples
        --------
        >>> import numpy as np, lrcore
        >>> p, scaler = np.zeros(1), lrcore.LossScaler(init_scale=4.0)
        >>> opt = lrcore.SGD(p, lr=1.0, accumulate=3)
        >>> scaler.step(opt, np.array([4.0])), scaler.step(opt, np.array([8.0]))
        (False, False)
        >>> scaler.flush(opt), p
        (True, array([-1.5]))
        """
        before, gathered = _checked(opt)._plan.t, opt._plan.gathered
        with opt.scaled(1 / self._scale):
            applied = opt.flush()
        if gathered and (applied or opt._plan.t == before):
            self._adapt(finite=applied or opt._plan.spike)
        return applied

    def _adapt(self, finite: bool) -> None:
        """Update the scale after a step, by whether its gradients were finite."""
        scale, tracker = self._scale, self.growth_tracker + 1
        if not finite:
            scale, tracker = max(scale * self.backoff_factor, _LEAST), 0
        elif tracker >= self.growth_interval:
            grown = scale * self.growth_factor
            scale, tracker = grown if grown < inf else scale, 0
        commit = Commit()
        commit.set(self, "_scale", scale)
        commit.set(self, "growth_tracker", tracker)
        commit.make()

    def __repr__(self) -> str:
        return f"<LossScaler scale={self._scale:g}, tracker={self.growth_tracker}>"


__all__ = ["LossScaler"]
