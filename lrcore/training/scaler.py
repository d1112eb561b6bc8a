"""Dynamic loss scaling, for gradients that are computed in a narrow float."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from lrcore._shared.domains import ABOVE_ONE, INSIDE, POSITIVE, whole
from lrcore._shared.words import shown
from lrcore.optimizers.base.optimizer import Optimizer

# The inverse of a smaller one would soon be infinite in float32.
_LEAST = 2.0**-100


class LossScaler:
    """A loss scale that grows while gradients are finite, and shrinks where not.

    Multiply the loss by `scale` (or what the backward pass starts from), so that small
    gradients do not vanish in float16; ``step`` divides them by it again::

        grads = backward(loss * scaler.scale)
        applied = scaler.step(opt, grads)

    Where a gradient is not finite, params and state stay, and the scale is multiplied
    by backoff_factor; after growth_interval steps in a row without, by growth_factor.

    Parameters
    ----------
    init_scale : float
        The first scale, > 0; below 2^-100 it is taken to be that.  Default 65536.
    growth_factor : float
        > 1.  Default 2.
    backoff_factor : float
        In (0, 1).  Default 0.5.
    growth_interval : int
        Steps.  Default 2000.

    Attributes
    ----------
    scale : float
        What to multiply the loss by; settable.
    growth_tracker : int
        Steps in a row without a gradient that was not finite.

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

    def __init__(
        self,
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
    ) -> None:
        self.scale = POSITIVE.check("init_scale", init_scale)
        self.growth_factor = ABOVE_ONE.check("growth_factor", growth_factor)
        self.backoff_factor = INSIDE.check("backoff_factor", backoff_factor)
        self.growth_interval = whole(
            "growth_interval", growth_interval, "an int >= 1", least=1
        )
        self.growth_tracker = 0

    @property
    def scale(self) -> float:
        """What to multiply the loss by."""
        return self._scale

    @scale.setter
    def scale(self, value: float) -> None:
        self._scale: float = max(POSITIVE.check("scale", value), _LEAST)

    def step(self, opt: Optimizer, grads: Any, loss: float | None = None) -> bool:
        """Step with gradients of the scaled loss, and update the scale.

        It calls ``opt.step``, an override in a subclass too, in a block of
        ``opt.scaled(1 / scale)``: gradients are multiplied by ``opt.grad_scale /
        scale``, and the step is skipped if one is not finite, whatever
        ``opt.skip_nonfinite`` says.  While the optimizer gathers (``accumulate``), the
        scale stays.  A `loss`, unscaled, is handed on if it is given.

        Returns
        -------
        bool
            As ``opt.step``: whether the params were updated.
        """
        given = () if loss is None else (loss,)
        with opt.scaled(1 / self._scale):
            applied = opt.step(grads, *given)
        if applied:
            self.growth_tracker += 1
            if self.growth_tracker >= self.growth_interval:
                self.growth_tracker = 0
                grown = self._scale * self.growth_factor
                self._scale = grown if grown < inf else self._scale
        elif not opt._plan.gathered:
            self.growth_tracker = 0
            self._scale = max(self._scale * self.backoff_factor, _LEAST)
        return applied

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` takes."""
        return {
            "scale": self._scale,
            "growth_factor": self.growth_factor,
            "backoff_factor": self.backoff_factor,
            "growth_interval": self.growth_interval,
            "growth_tracker": self.growth_tracker,
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue where the scaler that gave this ``state_dict()`` was.

        Raises
        ------
        TypeError, ValueError
            It is no such dict.  Nothing has been changed then.
        """
        wanted = self.state_dict().keys()
        if not isinstance(saved, Mapping) or saved.keys() != wanted:
            raise ValueError(f"saved: expected {list(wanted)}, found {shown(saved)}")
        new = LossScaler(
            saved["scale"],
            saved["growth_factor"],
            saved["backoff_factor"],
            saved["growth_interval"],
        )
        tracker = whole(
            "growth_tracker", saved["growth_tracker"], "an int >= 0", least=0
        )
        for name in self.__slots__:
            setattr(self, name, getattr(new, name))
        self.growth_tracker = tracker

    def __repr__(self) -> str:
        return f"<LossScaler scale={self._scale:g}, tracker={self.growth_tracker}>"


__all__ = ["LossScaler"]
