"""Adafactor: second moments by rows and columns, rows + columns numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt

import numpy as np

from lrcore._shared.domains import FLAG, NONNEGATIVE, NONPOSITIVE, POSITIVE
from lrcore._shared.types import Array
from lrcore.optimizers.base.common import DECOUPLED, DECOUPLES, LR
from lrcore.optimizers.base.fields import KW_ONLY, Field, Flag, Number, Scheduled
from lrcore.optimizers.base.fold import Coefs, Weights, decay_at
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Adafactor: RMSprop with mean squares of rows and columns, and relative steps.

    ::

        w = t^beta2_decay
        row = row + w (mean of g^2 over columns - row)
        col = col + w (mean of g^2 over rows - col)
        v = row col / max(mean of row, eps1)
        u = g / sqrt(max(v, eps1^2))
        rho = min(lr, 1 / sqrt(t)) max(eps2, RMS(p))
        p = (1 - lr weight_decay) p - rho u / max(1, RMS(u) / d)

    where rows and columns are the last two dimensions of an array; an array of more
    dimensions is a sequence of matrices.  Arrays of at most one dimension have a full
    v.

    {parameters}

    ``l2`` and a coupled decay are added to u, not to the gradient.

    References
    ----------
    Shazeer & Stern 2018, "Adafactor: adaptive learning rates with sublinear memory
    cost", Algorithm 4, without momentum.  The paper adds eps1 to g^2
    (``eps_added=True``).

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> p = np.ones((2, 2))
    >>> lrcore.Adafactor(p, lr=0.1).step(np.array([[1.0, 2.0], [2.0, 4.0]]))
    True
    >>> p.round(6)
    array([[0.9, 0.9],
           [0.9, 0.9]])
    """

    __slots__ = ()
    _rule = "sgd"
    _scale = "adafactor"
    _factoring = "product"
    _conventions = ("keras", "paper")

    lr: Number = LR.but(1e-2, doc="Upper bound of the step, relative to p.", keras=1e-3)
    beta2_decay: Number = Field(
        -0.8, NONPOSITIVE, "Power of t in the weight of the new g^2."
    )
    eps: Field[
        tuple[float | None, float],
        tuple[Scheduled | None, Scheduled]
        | Callable[[int], tuple[float | None, float]],
    ] = Field(
        (None, 1e-3),
        (NONNEGATIVE.or_none(), NONNEGATIVE),
        "eps1 (None: the machine epsilon of p's dtype) and eps2, the lower bound of "
        "RMS(p).",
        keras=(1e-30, 1e-3),
        paper=(1e-30, 1e-3),
    )
    d: Number = Field(1.0, POSITIVE, "Upper bound to which RMS(u) is clipped.")
    weight_decay: Number = DECOUPLED
    _: KW_ONLY
    relative_step: Flag = Field(True, FLAG, "Bound lr by 1 / sqrt(t).")
    scale_parameter: Flag = Field(True, FLAG, "Scale the step by max(eps2, RMS(p)).")
    eps_added: Flag = Field(
        False, FLAG, "Add eps1 to g^2 instead of bounding v.", keras=True, paper=True
    )
    rms_after_decay: Flag = Field(
        False, FLAG, "Take RMS(p) after the decay.", keras=True
    )
    decoupled_weight_decay: Flag = DECOUPLES

    @classmethod
    def _states_of(
        cls, alike: tuple[str, ...], numbers: tuple[str, ...]
    ) -> tuple[tuple[str, ...], int]:
        return ("row", "col"), 0

    @staticmethod
    def _own_state(p: Array, h: Hyper) -> dict[str, Array]:
        if p.ndim < 2:
            return {"v": np.zeros_like(p, subok=False).view()}
        if p.ndim > 2 and not p.flags.c_contiguous:
            raise ValueError(
                f"params: Adafactor takes arrays of {p.ndim} dimensions in C order "
                "only; convert it once, keep the result and pass it: "
                "p = numpy.ascontiguousarray(p)"
            )
        return {
            "row": np.zeros(p.shape[:-1], p.dtype).view(),
            "col": np.zeros((*p.shape[:-2], p.shape[-1]), p.dtype).view(),
        }

    @staticmethod
    def _sides(p: Array, state: Mapping[str, Array]) -> list[tuple[Array, int]]:
        if p.ndim < 2:
            return [(state["v"], p.size)]
        sides = [(state["row"], p.shape[-2]), (state["col"], p.shape[-1])]
        return sides if p.flags.c_contiguous else sides[::-1]

    @staticmethod
    def _fold_factors(h: Hyper) -> Weights:
        power, (eps, _), added = h["beta2_decay"], h["eps"], h["eps_added"]
        eps = -1.0 if eps is None else eps  # the core's word for the machine epsilon
        return lambda t: (t**power, eps, float(added))

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        relative = h["relative_step"]

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            return decay, min(lr, 1 / sqrt(t)) if relative else lr

        return coefs

    @staticmethod
    def _fold_scale(h: Hyper) -> Weights:
        least, most = h["eps"][1], h["d"]
        after = decay_at(h)(h["lr"]) if h["rms_after_decay"] else 1.0
        if not h["scale_parameter"]:
            least, after = 1.0, 0.0
        return lambda t: (least, most, after)
