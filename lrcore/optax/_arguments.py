"""Arguments by optax's names and by lrcore's, with their defaults."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

import jax

import lrcore
from lrcore.optimizers.base.keywords import Hyper

OURS = {
    "beta": "momentum",
    "decay": "alpha",
    "eps_in_sqrt": "eps_inside",
    "initial_scale": "initial_accumulator_value",
    "max_learning_rate": "max_lr",
    "weight_decay_mask": "mask",
}
"""lrcore's names of arguments, by optax's; b1, b2 and b3 are its betas."""


def signature(kind: type[lrcore.Optimizer], convention: str) -> Signature:
    """Return the signature of the function of an optimizer."""
    defaults = kind._settled({"convention": convention})
    rate = defaults.pop("lr")
    return Signature(
        [Parameter("learning_rate", Parameter.POSITIONAL_OR_KEYWORD, default=rate)]
        + [
            Parameter(name, Parameter.KEYWORD_ONLY, default=default)
            for name, default in {"mask": None, **defaults}.items()
        ]
    )


def by_our_names(given: Hyper) -> Hyper:
    """Return arguments by lrcore's names, and refuse two names of one."""
    names: dict[str, str] = {}
    for name in given:
        ours = "lr" if name == "learning_rate" else OURS.get(name, name)
        if ours in names:
            raise TypeError(
                f"{name}: found it beside {names[ours]}, another name of the same "
                "argument; pass one of them"
            )
        names[ours] = name
    return {ours: given[name] for ours, name in names.items()}


def gather_betas(kind: type[lrcore.Optimizer], hyper: Hyper) -> None:
    """Replace b1, b2 and b3 by betas, where an optimizer has them."""
    if "betas" not in kind._fields:
        return
    betas = list(kind._settled({"convention": hyper["convention"]})["betas"])
    given = {k: hyper.pop(f"b{k + 1}", None) for k in range(len(betas))}
    given = {k: beta for k, beta in given.items() if beta is not None}
    if given:
        if "betas" in hyper:
            raise TypeError(
                f"b{min(given) + 1}: found it beside betas, which has all; pass one "
                "of them"
            )
        hyper["betas"] = tuple(given.get(k, beta) for k, beta in enumerate(betas))


def for_lrcore(name: str, value: Any) -> Any:
    """Return a hyper-parameter as lrcore takes it: numbers for arrays of JAX."""
    if isinstance(value, jax.Array):
        return float(value)
    if isinstance(value, tuple):
        return tuple(for_lrcore(name, each) for each in value)
    ours = name == "project" or isinstance(value, lrcore.schedules.Schedule)
    return _Floats(value) if callable(value) and not ours else value


class _Floats:
    """A schedule of optax, which returns arrays of JAX, as one of floats."""

    def __init__(self, schedule: Callable[[int], Any]) -> None:
        self.schedule = schedule

    def __call__(self, t: int) -> Any:
        value = self.schedule(t)
        return value if isinstance(value, tuple) else float(value)

    def __repr__(self) -> str:
        return repr(self.schedule)
