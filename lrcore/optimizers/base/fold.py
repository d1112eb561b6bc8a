"""What hyper-parameters are folded into: the types, and weight decay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lrcore._core import Factors
from lrcore._shared.types import Array
from lrcore.optimizers.base.keywords import Hyper

Coefs = Callable[[int, float, float], tuple[float, ...]]
"""From the step, counted from 1, its learning rate and its decay of p: the driver's
decay and lr, and the rule's own coefficients."""

Numbers = tuple[float, ...]

Adapt = Callable[[int, float, float, Numbers, Numbers], tuple[Numbers, Numbers, float]]
"""The same where a group carries numbers from step to step: from these and the sums of
its gauge also; and to what they become, what Coefs gives, and the rate to report."""

GaugeCoefs = Callable[[int, float, Numbers], Numbers]
"""From the step, counted from 1, its learning rate and the numbers carried to the
coefficients of the gauge."""

Weights = Callable[[int], tuple[float, ...]]
"""From the step, counted from 1, to the coefficients of averages, or of a scale."""

Writes = list[tuple[Array, Any]]
"""Arrays, and what they become where the step is taken."""

Factor = tuple[
    Callable[[int, Array, Mapping[str, Array]], Factors],
    Callable[
        [int, Array, Mapping[str, Array], Factors, Array, Array],
        tuple[Factors, Writes],
    ],
]
"""From the step, from 1, p and its state to the factors that are read; and from these
also, and what was read of the rows and of the columns of the gradient, to the factors
that it is divided by."""

Direct = Callable[[int, list[tuple[Array, Array, Mapping[str, Array]]]], Writes]
"""From the step, from 1, and (p, x, state) of each array: it puts directions in the
place of the gradients x."""


Decay = Callable[[float], float]
"""From the learning rate of a step to what it multiplies p by."""


def decay(h: Hyper) -> tuple[float, Decay]:
    """Return l2, and the factor of p that weight decay comes to."""
    l2: float = h["l2"]
    if h["decoupled_weight_decay"]:
        return l2, decay_at(h)
    return l2 + h["weight_decay"], lambda rate: 1.0


def decay_at(h: Hyper) -> Decay:
    """Return what decoupled weight decay multiplies p by, from the rate of a step."""
    weight_decay = h["weight_decay"] if h["decoupled_weight_decay"] else 0.0
    if h["independent_weight_decay"]:
        return lambda rate: 1.0 - weight_decay
    return lambda rate: 1.0 - rate * weight_decay
