"""The keywords of every optimizer: their types and their defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypedDict

from lrcore._shared.words import listed, named, shortened, shown

Hyper = dict[str, Any]
"""Hyper-parameters by name."""

Scheduled = float | Callable[[int], float]
"""A number, or a schedule: any callable that takes the step and returns one."""

Betas = tuple[Scheduled, Scheduled] | Callable[[int], tuple[float, float]]


class Common(TypedDict, total=False):
    """Keywords of every optimizer."""

    l2: Scheduled
    maximize: bool
    decoupled_weight_decay: bool
    independent_weight_decay: bool
    ema_decay: Scheduled | None
    swa_start: int | None
    swa_every: int
    lookahead_steps: int | None
    lookahead_alpha: Scheduled
    mechanic: bool
    mechanic_s_init: float
    mechanic_decay: Scheduled
    grad_scale: Scheduled
    accumulate: int
    clip_value: Scheduled | None
    clip_tensor_norm: Scheduled | None
    agc: Scheduled | None
    agc_axis: int | tuple[int, ...] | None
    agc_eps: Scheduled
    clip_norm: Scheduled | None
    clip_eps: Scheduled
    skip_nonfinite: bool
    zero_grads: bool
    telemetry: bool
    convention: Literal["torch", "keras", "optax", "paper"]
    num_threads: int | None
    denormals: Literal["flush", "keep"]


# What a kernel takes too; averages, and Mechanic, which need arrays of their own; what
# treats gradients; and how the whole optimizer steps, whatever its groups.
TERMS: Common = {
    "l2": 0.0,
    "maximize": False,
    "decoupled_weight_decay": False,
    "independent_weight_decay": False,
}
AVERAGES: Common = {
    "ema_decay": None,
    "swa_start": None,
    "swa_every": 1,
    "lookahead_steps": None,
    "lookahead_alpha": 0.5,
}
MECHANIC: Common = {
    "mechanic": False,
    "mechanic_s_init": 1e-6,
    "mechanic_decay": 0.01,
}
CLIPS: Common = {
    "clip_value": None,
    "clip_tensor_norm": None,
    "agc": None,
    "agc_axis": None,
    "agc_eps": 1e-3,
}
OPTIONS: Common = {
    "grad_scale": 1.0,
    "accumulate": 1,
    "clip_norm": None,
    "clip_eps": 0.0,
    "skip_nonfinite": False,
    "zero_grads": False,
    "telemetry": False,
    "num_threads": None,
    "denormals": "flush",
}


def known(
    what: str, given: Mapping[str, Any], known: Mapping[str, Any], *extra: str
) -> None:
    """Check that there are no keywords but the known ones, and the extra ones.

    Raises
    ------
    TypeError
        There is another; the message begins with `what` and lists them all.
    """
    if unknown := given.keys() - known.keys():
        raise TypeError(
            f"{shortened(what)}: unexpected keyword {shown(min(unknown, key=named))}; "
            f"there are {listed([*known, *extra], named, room=1200)}"
        )
