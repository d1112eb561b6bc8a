"""Muon: orthogonalised momentum for matrices, AdamW for other arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any, Literal, get_args

import numpy as np

from lrcore._shared.domains import FINITE, FLAG, FRACTION, NONNEGATIVE, choice, count
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.optimizers._orthogonal import Buffers, NewtonSchulz, Term
from lrcore.optimizers.adam import AdamFlags, fold_adam
from lrcore.optimizers.base.common import BETAS, DECOUPLED, DECOUPLES, EPS, LR
from lrcore.optimizers.base.fields import (
    KW_ONLY,
    Count,
    Field,
    Flag,
    Number,
    Pair,
    Scheduled,
)
from lrcore.optimizers.base.fold import Coefs, Decay, Direct
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.kind import Kind
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["Muon"]

Spread = Literal["original", "match_rms_adamw", "transposed"]


Coefficients = Field[
    Term | tuple[Term, ...],
    tuple[Scheduled, Scheduled, Scheduled]
    | Sequence[Sequence[float]]
    | Callable[[int], Sequence[float] | Sequence[Sequence[float]]],
]


class _Coefficients(Field[Any, Any]):
    """Three numbers, or a sequence of such triples."""

    __slots__ = ()
    also = "sequence of such triples"

    def _checked(self, value: Any) -> Any:
        if not _is_sequence(value) or not all(map(_is_sequence, value)):
            return super()._checked(value)
        for k, triple in enumerate(value):
            if len(triple) != 3:
                raise ValueError(
                    f"{self.name}[{k}]: expected 3 numbers, found {shown(triple)}"
                )
        return tuple(
            tuple(
                FINITE.check(f"{self.name}[{k}][{i}]", x) for i, x in enumerate(triple)
            )
            for k, triple in enumerate(value)
        )


def _is_sequence(value: Any) -> bool:
    """Whether a value has elements, as an array without axes has not."""
    if isinstance(value, np.ndarray):
        return value.size > 0 and value.ndim > 0
    return isinstance(value, (tuple, list)) and len(value) > 0


class Muon(Optimizer):
    """Muon: steps by the momentum of a matrix, with all singular values set near 1.

    ::

        m = momentum m + (1 - momentum) g
        x = momentum m + (1 - momentum) g                if nesterov, otherwise m
        x = x / max(|x|, eps)
        x = a x + b (x x^T) x + c (x x^T)^2 x            Newton-Schulz, ns_steps times
        p = (1 - lr weight_decay) p - lr s x

    where s = sqrt(max(1, rows / columns)).  Arrays that do not have two dimensions are
    stepped by AdamW; its arguments begin with ``adam_``.

    {parameters}

    ``l2`` and a coupled decay are added to s x, not to the gradient.  NumPy computes
    the matrix products, in as many threads as its BLAS has (`num_threads` is for all
    else); the bits of x depend on the BLAS, those of m do not.

    If a matrix is at least 1.5 times as long on one side, several iterations work on
    the square matrix x x^T alone.  In float32, x then has an error of at most 1.5 %
    with the default coefficients; it is much less if no singular value is very small.

    All matrices share buffers for the products: one array of the size of the largest
    matrix, and three squares of the shorter side (four for such a long one).  They are
    made in the first step, and are neither saved nor copied.

    References
    ----------
    Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".  The
    arguments are those of torch, which rounds x to bfloat16; here x keeps p's dtype.
    Zhang, Amsel, Chen & Dao 2026, "Gram Newton-Schulz: a fast, hardware-aware
    Newton-Schulz algorithm for Muon".

    Examples
    --------
    >>> import numpy as np, lrcore
    >>> params = {"W": np.zeros((2, 3)), "b": np.zeros(2)}
    >>> opt = lrcore.Muon(params, lr=0.1, ns_steps=10)
    >>> opt.step({"W": np.array([[3.0, 0, 0], [0, 0, 0.5]]), "b": np.ones(2)})
    True
    >>> [list(state) for state in opt.state]
    [['m', 'u'], ['m', 'v']]
    """

    __slots__ = ()
    _rule = "nesterov"
    _directed = True
    _conventions = ("keras", "optax")

    lr: Number = LR
    weight_decay: Number = DECOUPLED.but(0.1, keras=4e-3, optax=0.0)
    momentum: Number = Field(0.95, FRACTION, "Decay of the running mean of g.")
    nesterov: Flag = Field(True, FLAG, "Use Nesterov momentum.")
    ns_coefficients: Coefficients = _Coefficients(
        (3.4445, -4.775, 2.0315),
        (FINITE, FINITE, FINITE),
        "a, b and c; or a sequence of such triples, one for each iteration, as in "
        "Polar Express (Amsel et al. 2025).  If there are fewer than `ns_steps`, the "
        "last one is repeated; more are refused.",
    )
    eps: Number = EPS.but(
        1e-7, doc="Lower bound of the divisor, in units of g.", optax=1e-8
    )
    ns_steps: Count = Field(5, count(0), "Number of Newton-Schulz iterations.")
    adjust_lr_fn: Field[Spread, Spread] = Field(
        "original",
        choice(*get_args(Spread)),
        's: "original" as above; "match_rms_adamw" 0.2 sqrt(max(rows, columns)); '
        '"transposed" sqrt(max(1, columns / rows)), for matrices whose rows are '
        "inputs.",
        keras="match_rms_adamw",
        optax="transposed",
    )
    _: KW_ONLY
    dampen: Flag = Field(True, FLAG, "Multiply g by 1 - momentum in m.", keras=False)
    bias_correction: Flag = Field(
        False,
        FLAG,
        "Divide m, and the Nesterov look-ahead, by the sum of its weights.",
        optax=True,
    )
    eps_added: Flag = Field(
        False, FLAG, "Add eps to the norm instead.", keras=True, optax=True
    )
    adam_lr_ratio: Number = Field(1.0, NONNEGATIVE, "AdamW's learning rate / lr.")
    adam_betas: Pair = BETAS.but(doc="AdamW's betas.")
    adam_eps: Number = EPS.but(doc="AdamW's eps.", keras=1e-7)
    adam_weight_decay: Number = DECOUPLED.but(
        1e-2, doc="AdamW's weight_decay.", keras=4e-3, optax=0.0
    )
    adam_eps_hat: Flag = AdamFlags.eps_hat.but(doc="AdamW's eps_hat.", keras=True)
    decoupled_weight_decay: Flag = DECOUPLES

    @classmethod
    def _kinds(cls) -> tuple[type[Kind], ...]:
        return cls, MuonAdamW

    @classmethod
    def _kind_of(cls, p: Array) -> type[Kind]:
        return cls if p.ndim == 2 else MuonAdamW

    @classmethod
    def _rule_for(cls, h: Hyper) -> str:
        if not callable(h["ns_coefficients"]):
            _given(h)  # refuses too many
        return cls._rule

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        mu = h["momentum"]
        w = 1 - mu if h["dampen"] else 1.0
        nesterov, corrects = h["nesterov"], h["bias_correction"]

        def coefs(t: int, lr: float, decay: float) -> tuple[float, ...]:
            now = 1 - mu**t if corrects else 1.0
            if not nesterov:
                return decay, lr, mu, w, 0.0, 1 / now
            ahead = 1 - mu ** (t + 1) if corrects else 1.0
            return decay, lr, mu, w, w / now, mu / ahead

        return coefs

    @staticmethod
    def _fold_directions(h: Hyper) -> Direct:
        given, n, spread = _given(h), h["ns_steps"], h["adjust_lr_fn"]
        eps, adds_eps = h["eps"], h["eps_added"]
        made: list[NewtonSchulz] = []  # by the first step: n may be large

        def direct(arrays: list[Array], buffers: dict[Any, Any]) -> None:
            if not made:
                terms = [*given, *[given[-1]] * (n - len(given))] if n else []
                made.append(NewtonSchulz(terms, eps, adds_eps))
            for x in arrays:
                if x.dtype not in buffers:
                    buffers[x.dtype] = Buffers(x.dtype)
                made[0].apply(x, _spread(spread, *x.shape), buffers[x.dtype])

        return direct


def _given(h: Hyper) -> Sequence[Term]:
    """Return the coefficients of the first iterations; the last are those of others."""
    given, n = h["ns_coefficients"], h["ns_steps"]
    if not isinstance(given[0], tuple):
        return (given,)
    if len(given) > n:
        raise ValueError(
            f"ns_coefficients: expected at most ns_steps = {n} triples, found "
            f"{len(given)}; set ns_steps={len(given)} to use all"
        )
    return tuple(given)


def _spread(how: Spread, rows: int, columns: int) -> float:
    """Return the factor by which an orthogonal matrix of this shape is scaled."""
    if how == "match_rms_adamw":
        return 0.2 * sqrt(max(rows, columns))
    if how == "transposed":
        rows, columns = columns, rows
    return sqrt(max(1, rows / max(columns, 1)))


class MuonAdamW(Kind):
    """AdamW, for the arrays of Muon that are not matrices."""

    __slots__ = ()
    _rule = "adam"

    @staticmethod
    def _decay(h: Hyper) -> tuple[float, Decay]:
        ratio = h["adam_lr_ratio"]
        l2, decay = Kind._decay({**h, "weight_decay": h["adam_weight_decay"]})
        return l2, lambda rate: decay(ratio * rate)

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        own = {"eps_root": 0.0, "bias_correction": True}
        own |= {name: h[f"adam_{name}"] for name in ("betas", "eps", "eps_hat")}
        fold, ratio = fold_adam(own), h["adam_lr_ratio"]
        return lambda t, lr, decay: fold(t, ratio * lr, decay)
