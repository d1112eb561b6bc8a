"""Schedules: an array of 1,000,000 steps, and a single step.

Schedules are grouped by the NumPy function that takes most of their time.  Each group
also has a row of this function alone, on as many numbers: the floor of the schedules
that call it for all steps.
"""

import math

import numpy as np
import pytest

from lrcore import schedules as s

STEPS = 1_000_000


def function(t):
    return 0.1 / (1 + t)


EVERY = {
    "arithmetic": [
        s.Constant(0.1),
        s.StepDecay(0.1, gamma=0.5, every=1000),
        s.MultiStep(0.1, at=range(1000, STEPS, 1000), gamma=0.99),
        s.Piecewise((0.1, 0.05, 0.01), at=(300_000, 600_000)),
        s.Interpolate((0.1, 1.0, 0.0), at=(0, 100_000, STEPS)),
        s.Linear(0.1, 0.0, total=STEPS),
        s.InverseTime(0.1, rate=0.5),
        s.WSD(0.1, STEPS, warmup_steps=1000, decay_steps=STEPS // 5),
        s.Rex(0.1, total=STEPS),
        s.Cyclic(0.1, 1.0, up=2000, mode="triangular2"),
        s.Cosine(0.1, total=1000).per_epoch(1000),
        s.Linear(0.1, 0.0, total=STEPS).clamp(low=0.01),
        s.Linear(1.0, 0.0, total=STEPS) + 0.1,
        0.5 * s.Linear(1.0, 0.0, total=STEPS),
        s.Linear(1.0, 0.0, total=STEPS) / 3,
    ],
    "np.cos": [
        s.Cosine(0.1, total=STEPS),
        s.FlatCosine(0.1, total=STEPS),  # for a quarter of the steps
        s.CosineRestarts(0.1, every=1000, mult=2),
        s.OneCycle(0.1, total=STEPS),
        s.Cosine(0.1, total=STEPS).warmup(1000),
    ],
    "np.exp": [s.Exponential(0.1, rate=1e-3)],
    "np.power of a number": [s.Exponential(0.1, gamma=0.999)],
    "np.power of an array": [s.Polynomial(0.1, total=STEPS, power=2.5)],
    "np.sqrt": [
        s.InverseSqrt(0.1),
        s.Noam(model_size=512, warmup_steps=4000),
        s.Linear(0.0, 1.0, total=1000).then(1000, s.InverseSqrt(1.0)),
    ],
    "np.tanh": [s.Tanh(0.1, total=STEPS)],
    "Python": [s.Function(function)],
}

x = np.linspace(0.0, 1.0, STEPS)
FLOORS = {
    "arithmetic": (np.ndarray.astype, np.arange(STEPS), np.float64),
    "np.cos": (np.cos, math.pi * x),
    "np.exp": (np.exp, -700 * x),  # without subnormal results, which take longer
    "np.power of a number": (np.power, 0.999, 700_000 * x),  # likewise
    "np.power of an array": (np.power, x, 2.5),
    "np.sqrt": (np.sqrt, x),
    "np.tanh": (np.tanh, 9 * x - 6),
    "Python": (lambda steps: [function(t) for t in steps], range(STEPS)),
}

each = pytest.mark.parametrize(
    ("group", "schedule"),
    [
        pytest.param(group, schedule, id=type(schedule).__name__)
        for group, schedules in EVERY.items()
        for schedule in schedules
    ],
)


def an_array(group):
    return f"schedules: an array of {STEPS:,} steps, {group}"


@each
def test_array(benchmark, group, schedule):
    benchmark.group = an_array(group)
    benchmark(schedule, np.arange(STEPS))


@pytest.mark.parametrize("group", FLOORS)
def test_floor(benchmark, group):
    benchmark.group = an_array(group)
    benchmark(*FLOORS[group])


@each
def test_single(benchmark, group, schedule):
    benchmark.group = "schedules: a single step"
    benchmark(schedule, 1234)
