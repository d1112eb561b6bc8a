"""What hyper-parameters are folded into: the types, and weight decay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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

Prepare = Callable[[int, list[Any], tuple[int, bool]], tuple[list[Any], list[Any]]]
"""From the step, from 1, (p, g, state) of each array, and the number of threads with
whether to keep subnormals; to what is stepped in the place of g, and to (array, value)
pairs to be written then."""


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
