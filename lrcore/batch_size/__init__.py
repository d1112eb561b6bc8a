"""Batch sizes: the learning rate for another batch size, and the critical batch size.

:func:`scale_lr` and :func:`scale_adam` are the usual rules for another batch size.
:class:`GradientNoiseScale` measures the gradient's noise, which says up to which batch
size they hold; with it, :func:`optimal_lr` and :func:`tradeoff` are the model of
McCandlish et al. 2018.

Modules with an underscore are the room's own: `_rules` has the formulas, `_noise` the
measurement.
"""

from lrcore.batch_size._noise import GradientNoiseScale
from lrcore.batch_size._rules import (
    AdamNumbers,
    Tradeoff,
    optimal_lr,
    scale_adam,
    scale_lr,
    tradeoff,
)

__all__ = [
    "AdamNumbers",
    "GradientNoiseScale",
    "Tradeoff",
    "optimal_lr",
    "scale_adam",
    "scale_lr",
    "tradeoff",
]
