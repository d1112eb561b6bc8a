"""Adafactor: second moments by rows and columns, rows + columns numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt

import numpy as np

from lrcore._core import Factors
from lrcore._shared.bounds import largest
from lrcore._shared.domains import FLAG, NONNEGATIVE, NONPOSITIVE, POSITIVE
from lrcore._shared.types import Array
from lrcore.optimizers.base.common import DECOUPLED, DECOUPLES, LR
from lrcore.optimizers.base.fields import KW_ONLY, Field, Flag, Number, Scheduled
from lrcore.optimizers.base.fold import Coefs, Factor, Weights, Writes, decay_at
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["Adafactor"]

State = Mapping[str, Array]


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
                "only; make it so, keep it and pass it: p = numpy.ascontiguousarray(p)"
            )
        return {
            "row": np.zeros(p.shape[:-1], p.dtype).view(),
            "col": np.zeros((*p.shape[:-2], p.shape[-1]), p.dtype).view(),
        }

    @staticmethod
    def _fold_factors(h: Hyper) -> Factor:
        power, (floor, _), added = h["beta2_decay"], h["eps"], h["eps_added"]

        def before(t: int, p: Array, state: State) -> Factors:
            nothing = np.ones(1, p.dtype)
            rows, cols = _sides(p)
            return Factors(False, nothing, nothing, rows, cols, 0.0)

        def after(
            t: int, p: Array, state: State, factors: Factors, rows: Array, cols: Array
        ) -> tuple[Factors, Writes]:
            eps = np.finfo(p.dtype).eps if floor is None else floor
            more, least = (eps, 0.0) if added else (0.0, float(eps))
            return _row_col(p, state, t**power, more, least, rows, cols)

        return before, after

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


def _sides(p: Array) -> tuple[int, int]:
    """Return rows and columns of an array's matrices, in the order of its memory."""
    if p.size == 0:
        return 1, 1
    if p.ndim < 2:
        return 1, p.size
    rows, cols = p.shape[-2:] if p.flags.c_contiguous else p.T.shape
    return rows, cols


def _row_col(
    p: Array,
    state: State,
    w: float,
    more: float,
    least: float,
    row_sum: Array,
    col_sum: Array,
) -> tuple[Factors, Writes]:
    """Return Adafactor's factors of an array's gradient, and its new state.

    more : what is added to g^2.  least : the bound of the mean, and the root of v's.
    row_sum, col_sum : sums of g^2 over the rows and the columns of its matrices.
    """
    nothing = np.ones(1, p.dtype)
    rows, cols = _sides(p)
    if p.size == 0:
        return Factors(False, nothing, nothing, rows, cols, 0.0), []
    # So that the factors' product is in range, and not 0 where a share underflows.
    most, floor = largest(p) / p.size, max(least**2, float(np.finfo(p.dtype).tiny))
    if p.ndim < 2:
        v = state["v"].astype(np.float64)
        v += w * (np.minimum(col_sum.reshape(v.shape) + more, most) - v)
        col = np.ascontiguousarray(v, p.dtype)
        return Factors(False, nothing, col, rows, cols, floor), [(state["v"], col)]
    swapped = not p.flags.c_contiguous
    means = {"row": row_sum / cols, "col": col_sum / rows}
    if swapped:
        means = {"row": means["col"], "col": means["row"]}
    new = {}
    for name, mean in means.items():
        old = state[name].astype(np.float64)
        new[name] = old + w * (np.minimum(mean.reshape(old.shape) + more, most) - old)
    mean = new["row"].mean(axis=-1, keepdims=True)
    share = new["row"] / np.maximum(mean, least)
    row, col = (np.ascontiguousarray(f, p.dtype) for f in (share, new["col"]))
    if swapped:
        row, col = col, row
    writes = [(state[name], value) for name, value in new.items()]
    return Factors(False, row, col, rows, cols, floor), writes
