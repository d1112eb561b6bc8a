"""The monitor: an update with and without reports, and the diagnosis of a run."""

import numpy as np
import pytest

import lrcore

LENGTHS = [500, 5_000, 50_000]


def watched(telemetry):
    """Return a monitor of an optimizer of four arrays, which has taken a step."""
    params = [np.ones(100) for _ in range(4)]
    opt = lrcore.AdamW(params, telemetry=telemetry)
    opt.step([np.ones(100) for _ in params])
    return lrcore.Monitor(opt)


def play(telemetry, losses):
    monitor = watched(telemetry)
    for loss in losses:
        monitor.update(loss)
    return monitor


@pytest.mark.parametrize("telemetry", [False, True], ids=["losses", "reports"])
@pytest.mark.parametrize("steps", LENGTHS, ids="{:_}".format)
def test_run(benchmark, steps, telemetry):
    """All updates of a run; `updates` is their number."""
    benchmark.group = f"monitor: all updates of a run, {steps:,} steps"
    benchmark.extra_info["updates"] = steps
    losses = np.linspace(2, 1, steps).tolist()
    benchmark.pedantic(play, (telemetry, losses), rounds=7, warmup_rounds=1)


@pytest.mark.benchmark(group="monitor: diagnose, by steps")
@pytest.mark.parametrize("steps", LENGTHS, ids="{:_}".format)
def test_diagnose(benchmark, steps):
    benchmark(play(True, np.linspace(2, 1, steps).tolist()).diagnose)
