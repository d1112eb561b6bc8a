"""Muon: orthogonalised momentum for matrices, AdamW for other arrays."""

from __future__ import annotations

from math import sqrt
from typing import Any, ClassVar, Literal, Unpack

import numpy as np

from lrcore._shared.bounds import saturated, toward
from lrcore._shared.types import Array
from lrcore.optimizers.adam import fold_adam
from lrcore.optimizers.base.domains import (
    FINITE,
    FRACTION,
    NONNEGATIVE,
    Domains,
    choice,
    count,
)
from lrcore.optimizers.base.fold import Coefs, Decay, Direct, Writes
from lrcore.optimizers.base.keywords import Betas, Common, Hyper, Scheduled
from lrcore.optimizers.base.memory import state_like
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.base.part import Part

__all__ = ["Muon"]


class MuonFlags(Common, total=False):
    """Keyword-only arguments of Muon."""

    dampen: bool
    bias_correction: bool
    eps_added: bool
    adam_lr_ratio: Scheduled
    adam_betas: Betas
    adam_eps: Scheduled
    adam_weight_decay: Scheduled
    adam_eps_hat: bool


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

    Parameters
    ----------
    {params}
    lr : float or schedule
        Learning rate.  Default 1e-3.
    {decoupled}
    momentum : float or schedule
        Decay of the running mean of g, in [0, 1).  Default 0.95.
    nesterov : bool
        Look ahead by a step of momentum.  Default True.
    ns_coefficients : (float, float, float)
        a, b and c.  Default (3.4445, -4.775, 2.0315).
    eps : float or schedule
        The least norm to divide by, in units of g.  Default 1e-7.
    ns_steps : int
        Newton-Schulz iterations.  Default 5.
    adjust_lr_fn : {"original", "match_rms_adamw", "transposed"}
        s: "original" as above; "match_rms_adamw" 0.2 sqrt(max(rows, columns));
        "transposed" sqrt(max(1, columns / rows)), for matrices whose rows are inputs.
    dampen : bool
        Weigh what enters m by 1 - momentum.  Default True.
    bias_correction : bool
        Divide by what the weights in m, and in the look ahead, come to.  Default False.
    eps_added : bool
        Add eps to the norm instead.  Default False.
    adam_lr_ratio : float or schedule
        AdamW's learning rate over lr.  Default 1.
    adam_betas, adam_eps, adam_weight_decay, adam_eps_hat
        AdamW's.  Default (0.9, 0.999), 1e-8, 0.01, False.
    {common}

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
    _decoupled = True
    _directed = True
    _flags: ClassVar[Hyper] = {
        "dampen": True,
        "bias_correction": False,
        "eps_added": False,
        "adam_lr_ratio": 1.0,
        "adam_betas": (0.9, 0.999),
        "adam_eps": 1e-8,
        "adam_weight_decay": 0.01,
        "adam_eps_hat": False,
    }
    _domains: ClassVar[Domains] = {
        "momentum": FRACTION,
        "ns_coefficients": (FINITE, FINITE, FINITE),
        "ns_steps": count(0),
        "adjust_lr_fn": choice("original", "match_rms_adamw", "transposed"),
        "adam_lr_ratio": NONNEGATIVE,
        "adam_betas": (FRACTION, FRACTION),
        "adam_eps": NONNEGATIVE,
        "adam_weight_decay": NONNEGATIVE,
    }
    _conventions: ClassVar[dict[str, Hyper]] = {
        "keras": {
            "weight_decay": 4e-3,
            "adjust_lr_fn": "match_rms_adamw",
            "dampen": False,
            "eps_added": True,
            "adam_eps": 1e-7,
            "adam_eps_hat": True,
            "adam_weight_decay": 4e-3,
        },
        "optax": {
            "weight_decay": 0.0,
            "eps": 1e-8,
            "adjust_lr_fn": "transposed",
            "bias_correction": True,
            "eps_added": True,
            "adam_weight_decay": 0.0,
        },
    }

    def __init__(
        self,
        params: Any,
        lr: Scheduled = 1e-3,
        weight_decay: Scheduled = 0.1,
        momentum: Scheduled = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: Scheduled = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: Literal["original", "match_rms_adamw", "transposed"] = "original",
        **common: Unpack[MuonFlags],
    ) -> None:
        hyper = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, hyper, common)

    @classmethod
    def _kinds(cls) -> tuple[type[Optimizer], ...]:
        return cls, MuonAdamW

    def _kind_of(self, p: Array) -> type[Optimizer]:
        return type(self) if p.ndim == 2 else MuonAdamW

    @staticmethod
    def _rule(h: Hyper) -> str:
        return "sgd"

    @classmethod
    def _states_of(cls, part: Part) -> tuple[tuple[str, ...], int]:
        own, size = super()._states_of(part)
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
    """Return what an orthogonal matrix of that shape is scaled by."""
    if h["adjust_lr_fn"] == "match_rms_adamw":
        return 0.2 * sqrt(max(rows, columns))
    if h["adjust_lr_fn"] == "transposed":
        rows, columns = columns, rows
    return sqrt(max(1, rows / max(columns, 1)))


class MuonAdamW(Optimizer):
    """AdamW, for the arrays of Muon that are not matrices."""

    __slots__ = ()

    @staticmethod
    def _rule(h: Hyper) -> str:
        return "adam"

    @staticmethod
    def _decay(h: Hyper) -> tuple[float, Decay]:
        ratio = h["adam_lr_ratio"]
        l2, decay = Optimizer._decay({**h, "weight_decay": h["adam_weight_decay"]})
        return l2, lambda rate: decay(ratio * rate)

    @staticmethod
    def _fold(h: Hyper) -> Coefs:
        own = {"eps_root": 0.0, "bias_correction": True}
        own |= {name: h[f"adam_{name}"] for name in ("betas", "eps", "eps_hat")}
        fold, ratio = fold_adam(own), h["adam_lr_ratio"]
        return lambda t, lr, decay: fold(t, ratio * lr, decay)
