"""Schedule-Free learning: an average of the params instead of a falling rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from lrcore._shared.domains import FRACTION, INSIDE, NONNEGATIVE
from lrcore._shared.types import Array
from lrcore.optimizers.base import averages
from lrcore.optimizers.base.common import COUPLED, DECOUPLES, EPS, LR
from lrcore.optimizers.base.fields import KW_ONLY, Field, Flag, Number, Pair
from lrcore.optimizers.base.fold import Adapt, Numbers
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["AdamWScheduleFree", "SGDScheduleFree"]

_R: Number = Field(0.0, NONNEGATIVE, "Power of t in the weight of a step in x.")
_WEIGHT_LR_POWER: Number = Field(
    2.0, NONNEGATIVE, "Power of the largest lr so far in the weight of a step in x."
)


class ScheduleFree(Optimizer):
    """Optimizers whose result is an average x, with gradients at another point y."""

    __slots__ = ()
    _carries = _nonnegative = ("weight_sum", "lr_max", "momentum")
    _projects = False
    _derives = "x"

    @property
    def x(self) -> Any:
        """The average that training is for, in the structure of the params: a copy."""
        return self._average("x")

    @staticmethod
    def _averages(h: Hyper) -> Mapping[str, averages.Weight]:
        return averages.common_but_lookahead(h, "Schedule-Free learning")

    @staticmethod
    def _derived(p: Array, state: Mapping[str, Array]) -> Array:
        towards = 1 - 1 / (float(state["momentum"]) or 1.0)
        return np.asarray(p + p.dtype.type(towards) * (state["z"] - p))

    @staticmethod
    def _initial(h: Hyper) -> Mapping[str, float | Literal["p"]]:
        return {"z": "p"}


class SGDScheduleFree(ScheduleFree):
    """Schedule-Free SGD: SGD z and its average x, with gradients at a point between.

    ::

        e = lr (g + weight_decay y);   z = z - e
        c = w / (sum of all w),        w = t^r lr_max^weight_lr_power
        x = x + c (z - x)
        y = z + momentum (x - z)

    The params are y, where gradients are computed.  The result is x: use it where you
    would use the params after training with a falling lr.  ``with opt.averaged():``
    puts it into the params, for evaluation or to save it, and ``opt.x`` returns it.
    (To continue later, save y: the params outside of this block, with
    ``state_dict()``.)  lr may have a warm-up, and is constant afterwards.  Lookahead is
    refused.

    {parameters}

    References
    ----------
    Defazio et al. 2024, "The road less scheduled", eq. 3-5, with the weights of the
    authors' code.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.ones(2)
    >>> opt = lrcore.SGDScheduleFree(p, lr=0.5)
    >>> for _ in range(100):
    ...     _ = opt.step(p.copy())
    >>> with opt.averaged():
    ...     print(abs(p).max() < 1e-3)
    True
    """

    __slots__ = ()
    _rule = "schedule_free"

    lr: Number = LR.but(
        1.0, doc="Learning rate; about 10 times that of SGD with momentum."
    )
    momentum: Number = Field(
        0.9, INSIDE, "Weight of x in y; the weight of z is the rest."
    )
    weight_decay: Number = COUPLED
    r: Number = _R
    weight_lr_power: Number = _WEIGHT_LR_POWER

    @staticmethod
    def _fold(h: Hyper) -> Adapt:
        return _fold_average(h["momentum"], h)


def _fold_average(b: float, h: Hyper) -> Adapt:
    """Return the numbers of x and y, for y at b between z and x."""
    r, power = h["r"], h["weight_lr_power"]

    def coefs(
        t: int, lr: float, decay: float, carried: Numbers, sums: Numbers
    ) -> tuple[Numbers, Numbers, float]:
        weight_sum, lr_max, old = carried
        lr_max = max(lr, lr_max)
        weight = t**r * lr_max**power
        weight_sum += weight
        c = weight / weight_sum if weight_sum else 0.0
        # Recover x from the old y and momentum, then interpolate again.
        apart = 1 - b / (old or b)
        towards = c + apart * (1 - c)
        numbers = (1.0, 1.0, towards, 1 - b * (1 - c), lr, 1 - decay)
        return (weight_sum, lr_max, b), numbers, lr

    return coefs


class AdamWScheduleFree(ScheduleFree):
    """Schedule-Free AdamW: Adam's denominator, and an average instead of momentum.

    ::

        v = b2 v + (1 - b2) g^2
        e = lr (g / (sqrt(v / (1 - b2^t)) + eps) + weight_decay y);   z = z - e

    Then x and y are those of SGDScheduleFree, with b1 as the momentum.

    {parameters}

    References
    ----------
    Defazio et al. 2024, "The road less scheduled", Algorithm 1, with the weights of the
    authors' code.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.ones(2)
    >>> opt = lrcore.AdamWScheduleFree(p, lr=0.1)
    >>> for _ in range(100):
    ...     _ = opt.step(p.copy())
    >>> abs(opt.x).max() < 0.05
    np.True_
    """

    __slots__ = ()
    _rule = "schedule_free_adam"

    lr: Number = LR.but(2.5e-3, doc="Learning rate; 1 to 10 times that of AdamW.")
    betas: Pair = Field(
        (0.9, 0.999),
        (INSIDE, FRACTION),
        "Weight of x in y, and decay of the running mean of g^2.",
    )
    eps: Number = EPS
    weight_decay: Number = COUPLED.but(
        doc="Each step takes ``lr * weight_decay * y`` from z."
    )
    r: Number = _R
    weight_lr_power: Number = _WEIGHT_LR_POWER
    _: KW_ONLY
    decoupled_weight_decay: Flag = DECOUPLES

    @staticmethod
    def _fold(h: Hyper) -> Adapt:
        (b1, b2), eps = h["betas"], h["eps"]
        average, w2 = _fold_average(b1, h), 1 - b2

        def coefs(
            t: int, lr: float, decay: float, carried: Numbers, sums: Numbers
        ) -> tuple[Numbers, Numbers, float]:
            carried, numbers, _ = average(t, lr, decay, carried, sums)
            return carried, (*numbers, w2, (1 - b2**t) ** -0.5, eps), lr

        return coefs
