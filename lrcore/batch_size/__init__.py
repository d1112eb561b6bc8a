"""Batch sizes: what they do to a learning rate, and which is large enough.

The rules of thumb by which a rate that was found at one batch size carries over to
another (:func:`scale_lr`, :func:`scale_adam`), and the noise of the gradient by which
one knows how far they reach: with the noise scale of :class:`GradientNoiseScale`,
:func:`optimal_lr` and :func:`tradeoff` are the model of McCandlish et al. 2018.

Modules with an underscore are the room's own: `_rules` is formulas, `_noise` measures.
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
