"""SM3: a second moment for each row, each column and so on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lrcore._shared.domains import FRACTION
from lrcore._shared.types import Array
from lrcore.optimizers.base.common import DECOUPLED, DECOUPLES, EPS, LR
from lrcore.optimizers.base.fields import KW_ONLY, Field, Flag, Number
from lrcore.optimizers.base.fold import Coefs, Weights
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["SM3"]


class SM3(Optimizer):
    """SM3: Adagrad with one number for each row, each column, and so on.

    ::

        v[i, j, ...] = min(acc_0[i], acc_1[j], ...) + g^2
        acc_0[i] = largest of v[i, ...];  acc_1[j] = largest of v[:, j, ...];  ...
        u = g / sqrt(v + eps)
        m = momentum m + (1 - momentum) u;  p = p - lr m

    {parameters}

    ``l2`` and a coupled decay are added to u, not to the gradient.

    References
    ----------
    Anil et al. 2019, "Memory-efficient adaptive optimization", Algorithm SM3-II.

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.zeros((2, 2))
    >>> opt = lrcore.SM3(p, lr=0.1)
    >>> opt.step(np.array([[1.0, 2.0], [0.0, -4.0]]))
    True
    >>> p.round(6)
    array([[-0.1, -0.1],
           [ 0. ,  0.1]])
    >>> opt.state[0]["acc_0"], opt.state[0]["acc_1"]
    (array([ 4., 16.]), array([ 1., 16.]))
    """

    __slots__ = ()
    _factoring = "least"
    _conventions = ("optax", "paper")

    lr: Number = LR.but(0.1)
    momentum: Number = Field(
        0.0,
        FRACTION,
        "Decay of the running mean m of u; 0: use u, without m.",
        optax=0.9,
        paper=0.9,
    )
    eps: Number = EPS.but(
        1e-30, doc="Added under the root, in units of g^2.", optax=1e-8
    )
    weight_decay: Number = DECOUPLED
    _: KW_ONLY
    decoupled_weight_decay: Flag = DECOUPLES

    @classmethod
    def _rule_for(cls, h: Hyper) -> str:
        return "sgd" if h["momentum"] == 0 else "momentum"

    @classmethod
    def _states_of(
        cls, alike: tuple[str, ...], numbers: tuple[str, ...]
    ) -> tuple[tuple[str, ...], int]:
        own, size = super()._states_of(alike, numbers)
        return ("acc_0", "acc_1", *own), size

    @staticmethod
    def _own_state(p: Array, h: Hyper) -> dict[str, Array]:
        sides = p.shape or (1,)
        return {f"acc_{k}": np.zeros(n, p.dtype).view() for k, n in enumerate(sides)}

    @staticmethod
    def _sides(p: Array, state: Mapping[str, Array]) -> list[tuple[Array, int]]:
        sides = [state[f"acc_{k}"] for k in range(max(p.ndim, 1))]
        in_order = sides if p.flags.c_contiguous else sides[::-1]
        return [(side, side.size) for side in in_order]

    @staticmethod
    def _fold_factors(h: Hyper) -> Weights:
        return lambda t: (h["eps"],)

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        mu = h["momentum"]
        return lambda t, lr, decay: (decay, lr, mu, 1 - mu)
