"""Schedules: an array of 1,000,000 steps, and a single step."""

import numpy as np
import pytest

from lrcore import schedules as s

STEPS = 1_000_000
EVERY = [
    s.Constant(0.1),
    s.StepDecay(0.1, gamma=0.5, every=1000),
    s.MultiStep(0.1, at=range(1000, STEPS, 1000), gamma=0.99),
    s.Piecewise((0.1, 0.05, 0.01), at=(300_000, 600_000)),
    s.Interpolate((0.1, 1.0, 0.0), at=(0, 100_000, STEPS)),
    s.Exponential(0.1, gamma=0.999),
    s.Linear(0.1, 0.0, total=STEPS),
    s.Polynomial(0.1, total=STEPS, power=2.5),
    s.InverseTime(0.1, rate=0.5),
    s.InverseSqrt(0.1),
    s.Cosine(0.1, total=STEPS),
    s.FlatCosine(0.1, total=STEPS),
    s.WSD(0.1, STEPS, warmup_steps=1000, decay_steps=STEPS // 5),
    s.Noam(model_size=512, warmup_steps=4000),
    s.Rex(0.1, total=STEPS),
    s.Tanh(0.1, total=STEPS),
    s.CosineRestarts(0.1, every=1000, mult=2),
    s.Cyclic(0.1, 1.0, up=2000, mode="triangular2"),
    s.OneCycle(0.1, total=STEPS),
    s.Cosine(0.1, total=STEPS).warmup(1000),
    s.Cosine(0.1, total=1000).per_epoch(1000),
    s.Linear(0.0, 1.0, total=1000).then(1000, s.InverseSqrt(1.0)),
    0.5 * s.Linear(1.0, 0.0, total=STEPS) + 0.1,
]


def name(schedule):
    return type(schedule).__name__


@pytest.mark.benchmark(group=f"schedules: an array of {STEPS:,} steps")
@pytest.mark.parametrize("schedule", EVERY, ids=name)
def test_array(benchmark, schedule):
    benchmark(schedule, np.arange(STEPS))


@pytest.mark.benchmark(group=f"schedules: an array of {STEPS:,} steps")
def test_array_by_numpy(benchmark):
    """The floor of the cosines."""
    benchmark(np.cos, np.arange(STEPS) * 1e-6)


@pytest.mark.benchmark(group="schedules: a single step")
@pytest.mark.parametrize("schedule", EVERY, ids=name)
def test_single(benchmark, schedule):
    benchmark(schedule, 1234)
