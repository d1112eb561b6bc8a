"""Muon: orthogonalised momentum for matrices, AdamW for other arrays."""

from __future__ import annotations

from math import sqrt
from typing import Any, Literal, get_args

import numpy as np

from lrcore._shared.bounds import saturated, toward
from lrcore._shared.domains import FINITE, FLAG, FRACTION, NONNEGATIVE, choice, count
from lrcore._shared.types import Array
from lrcore.optimizers.adam import AdamFlags, fold_adam
from lrcore.optimizers.base.common import BETAS, DECOUPLED, DECOUPLES, EPS, LR
from lrcore.optimizers.base.fields import (
    KW_ONLY,
    Count,
    Field,
    Flag,
    Number,
    Pair,
    Triple,
)
from lrcore.optimizers.base.fold import Coefs, Decay, Direct, Writes
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.kind import Kind
from lrcore.optimizers.base.memory import state_like
from lrcore.optimizers.base.optimizer import Optimizer

__all__ = ["Muon"]

Spread = Literal["original", "match_rms_adamw", "transposed"]


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
    the matrix products, so the bits of a step depend on its BLAS.

    References
    ----------
    Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".  The
    arguments are those of torch, which rounds x to bfloat16; here x keeps p's dtype.

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
    _rule = "sgd"
    _directed = True
    _conventions = ("keras", "optax")

    lr: Number = LR
    weight_decay: Number = DECOUPLED.but(0.1, keras=4e-3, optax=0.0)
    momentum: Number = Field(0.95, FRACTION, "Decay of the running mean of g.")
    nesterov: Flag = Field(True, FLAG, "Use Nesterov momentum.")
    ns_coefficients: Triple = Field(
        (3.4445, -4.775, 2.0315), (FINITE, FINITE, FINITE), "a, b and c."
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
    def _states_of(
        cls, alike: tuple[str, ...], numbers: tuple[str, ...]
    ) -> tuple[tuple[str, ...], int]:
        own, size = super()._states_of(alike, numbers)
        return ("m", *own), 4 + size

    @staticmethod
    def _own_state(p: Array, h: Hyper) -> dict[str, Array]:
        return {"m": state_like(p, 0, 0.0)}

    @staticmethod
    def _fold_directions(h: Hyper) -> Direct:
        def direct(t: int, items: list[Any]) -> Writes:
            writes = []
            for p, x, state in items:
                m, ahead = _momentum(h, t, x, state["m"])
                x[...] = _spread(h, *p.shape) * _orthogonal(h, ahead)
                writes.append((state["m"], m))
            return writes

        return direct

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        return lambda t, lr, decay: (decay, lr)


def _momentum(h: Hyper, t: int, g: Array, m: Array) -> tuple[Array, Array]:
    """Return the new momentum, and the direction it gives."""
    mu = h["momentum"]
    w = 1 - mu if h["dampen"] else 1.0
    m = toward(m, g, w) if h["dampen"] else saturated(mu * m + g, g)
    now, ahead = 1.0, 1.0
    if h["bias_correction"]:
        now, ahead = 1 - mu**t, 1 - mu ** (t + 1)
    if not h["nesterov"]:
        return m, saturated(m / now, m)
    return m, saturated((mu / ahead) * m + (w / now) * g, g)


def _orthogonal(h: Hyper, x: Array) -> Array:
    """Return x with its singular values near 1, by Newton and Schulz."""
    a, b, c = h["ns_coefficients"]
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.T
    norm, eps = np.linalg.norm(x), x.dtype.type(h["eps"])
    if not np.isfinite(norm):  # by squares that are out of range
        x = x / np.abs(x).max()
        norm = np.linalg.norm(x)
    x = x / (norm + eps if h["eps_added"] else max(norm, eps))
    for _ in range(h["ns_steps"]):
        square = x @ x.T
        x = a * x + (b * square + c * (square @ square)) @ x
    return x if wide else x.T


def _spread(h: Hyper, rows: int, columns: int) -> float:
    """Return the factor by which an orthogonal matrix of this shape is scaled."""
    if h["adjust_lr_fn"] == "match_rms_adamw":
        return 0.2 * sqrt(max(rows, columns))
    if h["adjust_lr_fn"] == "transposed":
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
