"""Learning-rate schedules: pure functions of the step, composed by plain calls.

A schedule is called with the number of steps taken so far, 0 for the first step, and
returns the value of the next step: a float for an int, a float64 array for an array.
You need not advance or resume it.  A schedule is an immutable value: it can be compared
and hashed, and made again by ``parse(repr(s))`` or ``Schedule.from_dict(s.to_dict())``.
After its last step it keeps its last value.

========================================  ============================================
Constant, StepDecay, MultiStep,           by steps
Piecewise
Exponential, Linear, Polynomial,          falling, or from one value to another
InverseTime, InverseSqrt, Interpolate
Cosine, FlatCosine, WSD, Rex, Tanh, Noam  over a run of known length; a transformer's
CosineRestarts, Cyclic, OneCycle          up and down; ``OneCycle.momentum()``
Warmup, Join, PerEpoch, Clamp, Sum,       of other schedules: ``s.warmup(steps)``,
Product, Quotient                         ``s.then(at, other)``, ``join``,
                                          ``s.per_epoch(n)``, ``s.clamp(low, high)``,
                                          ``a + b``, ``1 - a``, ``2 * a``, ``a / 2``
Function                                  of any other function of the step
make                                      any by its name: ``make("Cosine", 0.1, 100)``
parse                                     any from text, which is not run as code
========================================  ============================================

Every number of an optimizer except integers and initial values can be a schedule: the
learning rate, momentum, betas, weight decay.  It can also be any other function of the
step, but schedules check their parameters when they are made.  Where a schedule takes
another one, it also takes a number or any other function of the step.  At most 100
schedules may be nested; a sum, a product or a join may have any number of parts.

Parameters have the same names in all schedules: `base` is the first value, or the value
after a warm-up; `peak` the highest and `end` the last one; `total` the number of steps
of a run, `every` that of one period; `at` lists the steps at which the value changes.

A number of steps that is 0 means the limit: no warm-up, no milestones, or a phase that
is left out.  Values for a number come from the C library's functions, values for an
array from NumPy's; they may differ in the last bits.

`anneal`, `cycles`, `decay`, `plain` and `stepwise` are families of schedules; `compose`
and `arithmetic` make schedules of schedules.  Modules with an underscore are the room's
own: the class `Schedule`, formulas, checks of parameters, pictures.

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

from lrcore.schedules._make import *
from lrcore.schedules._parse import *
from lrcore.schedules._schedule import *
from lrcore.schedules.anneal import *
from lrcore.schedules.arithmetic import *
from lrcore.schedules.compose import *
from lrcore.schedules.cycles import *
from lrcore.schedules.decay import *
from lrcore.schedules.plain import *
from lrcore.schedules.stepwise import *
