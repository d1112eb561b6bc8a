"""The monitor: all updates of a run, with and without reports, and its diagnosis.

    pytest bench/test_monitor.py --benchmark-only

The times of a run are those of its updates alone; divide them by its number of steps.
"""

import numpy as np
import pytest

import lrcore

LENGTHS = [500, 5_000, 50_000]
VALIDATED = 10  # steps from one validation loss to the next


def watched(telemetry):
    """Return a monitor of an optimizer of four arrays, which has taken a step."""
    params = [np.ones(100) for _ in range(4)]
    opt = lrcore.AdamW(params, telemetry=telemetry)
    opt.step([np.ones(100) for _ in params])
    return lrcore.Monitor(opt)


def play(monitor, losses):
    for loss in losses:
        monitor.update(loss)
    return monitor


def play_validated(monitor, losses, others):
    for step, (loss, other) in enumerate(zip(losses, others, strict=True), 1):
        monitor.update(loss, None if step % VALIDATED else other)


def time_runs(benchmark, function, *given):
    """Time `function(monitor, *given)`, for a new monitor each time."""
    telemetry, *rest = given
    steps = len(rest[0])
    benchmark.extra_info["updates"] = steps
    benchmark.pedantic(
        function,
        setup=lambda: ((watched(telemetry), *rest), {}),
        rounds=max(7, 50_000 // steps),
        warmup_rounds=1,
    )


@pytest.mark.parametrize("telemetry", [False, True], ids=["losses", "reports"])
@pytest.mark.parametrize("steps", LENGTHS, ids="{:_}".format)
def test_run(benchmark, steps, telemetry):
    benchmark.group = f"monitor: all updates of a run, {steps:,} steps"
    time_runs(benchmark, play, telemetry, np.linspace(2, 1, steps).tolist())


@pytest.mark.parametrize("overfits", [False, True], ids=["falls", "overfits"])
def test_validated_run(benchmark, overfits):
    """Every tenth update has a validation loss, which may rise from step 150 on."""
    benchmark.group = "monitor: all updates of a run, 500 steps, 50 with validation"
    steps = np.arange(500)
    others = 1 + abs(steps - 150) / 100 if overfits else 2 - steps / 600
    losses = np.linspace(2, 1, 500).tolist()
    time_runs(benchmark, play_validated, True, losses, others.tolist())


@pytest.mark.benchmark(group="monitor: diagnose, by steps")
@pytest.mark.parametrize("steps", LENGTHS, ids="{:_}".format)
def test_diagnose(benchmark, steps):
    benchmark(play(watched(True), np.linspace(2, 1, steps).tolist()).diagnose)
