"""What torch calls the state arrays of its optimizers, and lrcore's names of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

Hyper = Mapping[str, Any]


class Family(NamedTuple):
    """The states of a class of lrcore and of its subclasses.

    names : torch's name for each of lrcore's arrays; others keep their own.
    axes : the axis of length 1 that torch's tensor has besides those of an array.
    derived : numbers that torch keeps and lrcore computes, from hyper-parameters and
        the number of steps taken.
    eager : whether torch makes the states with the optimizer, not in the first step.
    """

    names: Mapping[str, str]
    axes: Mapping[str, int] = {}
    derived: Mapping[str, Callable[[Hyper, int], float]] = {}
    eager: bool = False


def _mu_product(h: Hyper, t: int) -> float:
    return _product(h["betas"][0], h["momentum_decay"], t)


@lru_cache(maxsize=64)
def _product(beta: float, decay: float, t: int) -> float:
    """Return NAdam's mu_1 ... mu_t."""
    return float(np.prod(beta * (1 - 0.5 * 0.96 ** (np.arange(1, t + 1) * decay))))


def _eta(h: Hyper, t: int) -> float:
    """Return ASGD's learning rate after t steps."""
    return float(h["lr"] / (1 + h["lambd"] * h["lr"] * t) ** h["alpha"])


def _mu(h: Hyper, t: int) -> float:
    """Return the weight of p in ASGD's average after t steps."""
    return 1 / max(1.0, float(t - h["t0"]))


_ADAM = {"m": "exp_avg", "v": "exp_avg_sq", "v_max": "max_exp_avg_sq"}

_FAMILIES = {
    "Adadelta": Family({"v": "square_avg", "d": "acc_delta"}),
    "Adafactor": Family(
        {"row": "row_var", "col": "col_var", "v": "variance"},
        axes={"row": -1, "col": -2},
    ),
    "Adagrad": Family({"a": "sum"}, eager=True),
    "Adam": Family(_ADAM),
    "Adamax": Family({"m": "exp_avg", "n": "exp_inf"}),
    "ASGD": Family({}, derived={"eta": _eta, "mu": _mu}),
    "Muon": Family({"m": "momentum_buffer"}),
    "MuonAdamW": Family(_ADAM),
    "NAdam": Family(_ADAM, derived={"mu_product": _mu_product}),
    "RAdam": Family(_ADAM),
    "RMSprop": Family({"v": "square_avg", "m": "momentum_buffer", "mg": "grad_avg"}),
    "Rprop": Family({"g_old": "prev", "d": "step_size"}),
    "SGD": Family({"m": "momentum_buffer"}),
}

_OWN = Family({})


def family(kind: type) -> Family:
    """Return the family of a class, by the name of the class or of a parent."""
    found = (_FAMILIES.get(each.__name__) for each in kind.__mro__)
    return next((each for each in found if each is not None), _OWN)
