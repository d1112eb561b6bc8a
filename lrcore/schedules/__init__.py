"""Learning-rate schedules: pure functions of the step, composed by plain calls.

A schedule is called with the number of steps taken before, 0 for the first, and gives
the value of the next one: a float for an int, a float64 array for an array.  There is
nothing to advance and nothing to resume.  It is a frozen value: comparable, hashable,
its ``repr`` evaluates back to it, and ``Schedule.from_dict(s.to_dict())`` is it again.
Past its last step it holds its last value.

========================================  ============================================
Constant, StepDecay, MultiStep,           by steps
Piecewise
Exponential, Linear, Polynomial,          falling, or from one value to another
InverseTime, InverseSqrt, Interpolate
Cosine, FlatCosine, WSD, Rex, Tanh, Noam  over a run of known length; a transformer's
CosineRestarts, Cyclic, OneCycle          up and down; ``OneCycle.momentum()``
Warmup, Join, PerEpoch, Clamp, Sum,       of other schedules: ``s.warmup(steps)``,
Product                                   ``s.then(at, other)``, ``join``,
                                          ``s.per_epoch(n)``, ``s.clamp(low, high)``,
                                          ``s.scale(2)``, ``a + b``, ``a * b``
========================================  ============================================

They drive any hyper-parameter of an optimizer that is no count: the learning rate,
momentum, betas, weight decay.  Any other callable of the step will do too; these check
their parameters when they are made.  A number comes from the C library's functions and
an array from NumPy's, which may differ in the last bits.

`anneal`, `cycles` and `decay` are families of them; modules with an underscore are the
room's own: what all share, formulas, checks of parameters, pictures.

Examples
--------
>>> import numpy as np
>>> from lrcore.schedules import Cosine
>>> lr = Cosine(0.5, total=100).warmup(10)
>>> lr(0), lr(9), lr(10), lr(60), lr(1000)
(0.05, 0.5, 0.5, 0.25, 0.0)
>>> lr(np.array([0, 9, 10, 60, 1000])).round(6)
array([0.05, 0.5 , 0.5 , 0.25, 0.  ])
>>> lr
Warmup(steps=10, after=Cosine(base=0.5, total=100))
"""

from lrcore.schedules._schedule import *
from lrcore.schedules.anneal import *
from lrcore.schedules.cycles import *
from lrcore.schedules.decay import *
