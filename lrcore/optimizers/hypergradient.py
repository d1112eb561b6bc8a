"""Hypergradient descent: the learning rate follows its own gradient."""

from __future__ import annotations

from lrcore._shared.bounds import LARGEST_RATE
from lrcore._shared.domains import NONNEGATIVE
from lrcore.optimizers.adam import AdamFlags, fold_adam
from lrcore.optimizers.base.common import BETAS, COUPLED, EPS, LR
from lrcore.optimizers.base.fields import Field, Number, Pair
from lrcore.optimizers.base.fold import Adapt, GaugeCoefs, Numbers, decay_at
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["SGDHD", "AdamHD"]


_LR: Number = LR.but(doc="Initial learning rate.")


def _changed(lr: float, change: float, more: float) -> tuple[float, float]:
    """Return the change of lr, and the rate that it makes; both rest where lr is 0.

    A change that is out of range is not made.
    """
    if lr == 0:
        return change, 0.0
    if abs(change + more) <= LARGEST_RATE:
        change += more
    return change, lr + change


class SGDHD(Optimizer):
    """SGD whose learning rate follows its own gradient.

    ::

        c = c + hypergrad_lr g.g_old
        p = p - (lr + c) g

    where the product is over all arrays of a group, and g_old is the gradient of the
    last step.  ``opt.state[0]["lr_change"]`` is c.  If hypergrad_lr is too large, the
    rate may fall below 0.  If lr is 0, the rate is 0 and c does not change.

    {parameters}

    References
    ----------
    Baydin et al. 2018, "Online learning rate adaptation with hypergradient descent",
    Algorithm 4.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.array([3.0, -4.0])
    >>> opt = lrcore.SGDHD(p, lr=1e-3, hypergrad_lr=1e-5)
    >>> for _ in range(100):
    ...     _ = opt.step(2 * p)
    >>> print(float(opt.state[0]["lr_change"].round(3)))
    0.022
    """

    __slots__ = ()
    _rule = "sgd_hd"
    _gauge = "along_last"
    _carries = ("lr_change",)

    lr: Number = _LR
    hypergrad_lr: Number = Field(
        1e-6, NONNEGATIVE, "The learning rate of lr, in units of ``lr / |g|^2``."
    )
    weight_decay: Number = COUPLED

    @staticmethod
    def _fold(h: Hyper) -> Adapt:
        beta, decay_by = h["hypergrad_lr"], decay_at(h)

        def coefs(
            t: int, lr: float, decay: float, carried: Numbers, sums: Numbers
        ) -> tuple[Numbers, Numbers, float]:
            change, rate = _changed(lr, carried[0], beta * sums[0])
            return (change,), (decay_by(rate), rate), rate

        return coefs


class AdamHD(AdamFlags):
    """Adam whose learning rate follows its own gradient.

    ::

        c = c + hypergrad_lr g.u,   u of the last step
        m, v as in Adam
        u = m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)
        p = p - (lr + c) u

    where the product is over all arrays of a group.  As in SGDHD,
    ``opt.state[0]["lr_change"]`` is c, and the rate may fall below 0.

    {parameters}

    References
    ----------
    Baydin et al. 2018, "Online learning rate adaptation with hypergradient descent",
    Algorithm 6.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.array([3.0, -4.0])
    >>> opt = lrcore.AdamHD(p, lr=1e-3, hypergrad_lr=1e-5)
    >>> all(opt.step(2 * p) for _ in range(100))
    True
    >>> opt.state[0]["lr_change"].round(3)
    np.float64(0.012)
    """

    __slots__ = ()
    _rule = "adam"
    _gauge = "along_last_adam"
    _carries = ("lr_change",)

    lr: Number = _LR
    betas: Pair = BETAS
    eps: Number = EPS
    weight_decay: Number = COUPLED
    hypergrad_lr: Number = Field(
        1e-8, NONNEGATIVE, "The learning rate of lr, in units of ``lr / |g|``."
    )

    @staticmethod
    def _fold_gauge(h: Hyper) -> GaugeCoefs:
        fold = fold_adam(h)

        def coefs(t: int, lr: float, carried: Numbers) -> Numbers:
            return fold(max(t - 1, 1), 1.0, 1.0)[-3:]  # root, r, eps of the last step

        return coefs

    @staticmethod
    def _fold(h: Hyper) -> Adapt:
        beta, decay_by, fold = h["hypergrad_lr"], decay_at(h), fold_adam(h)

        def coefs(
            t: int, lr: float, decay: float, carried: Numbers, sums: Numbers
        ) -> tuple[Numbers, Numbers, float]:
            more = 0.0
            if t > 1:  # there is a last step
                more = beta * fold(t - 1, 1.0, 1.0)[1] * sums[0]
            change, rate = _changed(lr, carried[0], more)
            return (change,), fold(t, rate, decay_by(rate)), rate

        return coefs
