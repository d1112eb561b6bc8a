"""Arguments by thinc's names, and what cannot be used with thinc."""

from __future__ import annotations

from typing import Any

import lrcore
from lrcore.optimizers.base.keywords import Hyper

ELSEWHERE = {
    "lr": "learn_rate",
    "l2": "L2, with L2_is_weight_decay=False",
    "weight_decay": "L2",
    "decoupled_weight_decay": "L2_is_weight_decay",
    "independent_weight_decay": "L2_is_weight_decay",
    "clip_tensor_norm": "grad_clip",
    "clip_norm": "grad_clip, the largest norm of an array's gradient",
    "accumulate": "fewer calls of finish_update(): the model adds its gradients up",
    "comm": "one process: thinc's models step their arrays one at a time",
    "ema_decay": "use_averages",
    "groups": "an optimizer for each model",
    "mechanic": "learn_rate: Mechanic needs all gradients at once",
}
"""The arguments of lrcore's classes that have another name here, or another way."""


def betas(name: str, defaults: tuple[Any, ...], beta1: Any, beta2: Any) -> Hyper:
    """Return beta1 and beta2 by name, if one is given."""
    if beta1 is None and beta2 is None:
        return {}
    if len(defaults) != 2:
        has = f"betas={defaults}" if defaults else "no betas"
        raise TypeError(f"beta1, beta2: expected None, as {name} has {has}")
    return {
        "beta1": defaults[0] if beta1 is None else beta1,
        "beta2": defaults[1] if beta2 is None else beta2,
    }


def why_not(kind: type[lrcore.Optimizer]) -> str:
    """Return why thinc cannot use an optimizer, or ""."""
    if kind._gauge and not kind._carries_per_array:
        return (
            "it finds its rate from the gradients of all arrays, and thinc passes one "
            "at a time"
        )
    if kind._derives:
        return "it has to be evaluated with an average that thinc does not ask for"
    return ""
