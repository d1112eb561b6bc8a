"""The types of coefficients made from hyper-parameters, and weight decay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lrcore._core import Factors
from lrcore._shared.types import Array
from lrcore.optimizers.base.keywords import Hyper

Coefs = Callable[[int, float, float], tuple[float, ...]]
"""Maps the step, from 1, its learning rate and its decay of p to the driver's decay
and lr, and the coefficients of the rule."""

Numbers = tuple[float, ...]

Adapt = Callable[[int, float, float, Numbers, Numbers], tuple[Numbers, Numbers, float]]
"""The same for a group that carries numbers from step to step: also takes these and the
gauge's sums; returns the new numbers, the result of Coefs, and the rate to report."""

GaugeCoefs = Callable[[int, float, Numbers], Numbers]
"""Maps the step, from 1, its learning rate and the carried numbers to the coefficients
of the gauge."""

Weights = Callable[[int], tuple[float, ...]]
"""Maps the step, from 1, to the coefficients of averages, or of a scale."""

Writes = list[tuple[Array, Any]]
"""Arrays, and their new values if the step is taken."""

Factor = tuple[
    Callable[[int, Array, Mapping[str, Array]], Factors],
    Callable[
        [int, Array, Mapping[str, Array], Factors, Array, Array],
        tuple[Factors, Writes],
    ],
]
"""Maps the step, from 1, p and its state to the factors that are read; and maps these
and the values read from its rows and columns to the factors that divide the
gradient."""

Direct = Callable[[list[Array], dict[Any, Any]], None]
"""Replaces the rule's directions, in arrays, by others.  It can keep buffers in the
dict, which lives as long as the plan of the optimizer."""


Decay = Callable[[float], float]
"""Maps the learning rate of a step to the factor of p."""


def decay(h: Hyper) -> tuple[float, Decay]:
    """Return l2, and the function that gives the factor of p."""
    l2: float = h["l2"]
    if h["decoupled_weight_decay"]:
        return l2, decay_at(h)
    return l2 + h["weight_decay"], lambda rate: 1.0


def decay_at(h: Hyper) -> Decay:
    """Return the function from the rate of a step to the factor of p."""
    weight_decay = h["weight_decay"] if h["decoupled_weight_decay"] else 0.0
    if h["independent_weight_decay"]:
        return lambda rate: 1.0 - weight_decay
    return lambda rate: 1.0 - rate * weight_decay
