"""Dimensions of a search: the values that `lrcore.tune` can choose, and usual ranges.

A space is a dict of dimensions by name.  The functions below make usual dimensions;
:class:`Real`, :class:`Integer`, :class:`Choice` and :class:`Tuple` make any other, and
a plain list of values is a choice.  A dimension is immutable and checked when it is
made; it can be compared and hashed, and its ``repr`` evaluates to it.

====================================  ================================================
lr, weight_decay, eps, clip_norm      log-uniform
momentum, betas, ema_decay, decay     so that 1 - value is log-uniform
warmup, label_smoothing, dropout      uniform
final_lr                              log-uniform, as a fraction of the peak
batch_size                            powers of 2
optimizer, schedule                   names
Real, Integer, Choice, Tuple          any other
====================================  ================================================

Modules with an underscore are private to this package: `_numbers` and `_choices` have
the classes, `_ranges` the usual ranges.

Examples
--------
>>> from lrcore import space
>>> space.lr()
Real(low=1e-05, high=1.0, scale='log')
>>> space.lr(1e-3, 0.1).points(3)
[0.001, 0.01, 0.1]
>>> space.momentum(0.9, 0.999).points(3)
[0.9, 0.99, 0.999]
"""

from lrcore.space._check import check as check
from lrcore.space._choices import Choice, Tuple
from lrcore.space._dimension import Dimension
from lrcore.space._numbers import Integer, Real
from lrcore.space._ranges import (
    batch_size,
    betas,
    clip_norm,
    decay,
    dropout,
    ema_decay,
    eps,
    final_lr,
    label_smoothing,
    lr,
    momentum,
    optimizer,
    schedule,
    warmup,
    weight_decay,
)

__all__ = [
    "Choice",
    "Dimension",
    "Integer",
    "Real",
    "Tuple",
    "batch_size",
    "betas",
    "clip_norm",
    "decay",
    "dropout",
    "ema_decay",
    "eps",
    "final_lr",
    "label_smoothing",
    "lr",
    "momentum",
    "optimizer",
    "schedule",
    "warmup",
    "weight_decay",
]
