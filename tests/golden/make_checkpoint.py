"""Writes the golden checkpoint of the present version of the format.

``python tests/golden/make_checkpoint.py`` is run once for a version, and its file is
then kept for ever: later versions of lrcore have to load it.  All numbers are small and
exact, so that no kernel matters.
"""

import sys
from pathlib import Path

import numpy as np

import lrcore
from lrcore.checkpoint._read import VERSION
from lrcore.schedules import Constant


def begun():
    """The optimizer, its params, and what is saved beside it, before the run."""
    params = {"w": np.zeros((2, 3), np.float32), "layers": [{"b": np.zeros(2)}]}
    lr = lrcore.ReduceOnPlateau(Constant(0.5).warmup(2), factor=0.5, patience=0)
    opt = lrcore.SGD(params, lr=lr, momentum=0.5, accumulate=2, ema_decay=0.5)
    w = params["w"]
    stopping = lrcore.EarlyStopping(patience=3, params=w)
    return params, opt, {
        "stopping": stopping, "scaler": lrcore.LossScaler(8.0),
        "rng": np.random.Generator(np.random.Philox(7)), "mean": np.zeros(2),
    }  # fmt: skip


def made():
    """The same after some steps, a reduction and a gathered gradient."""
    params, opt, extra = begun()
    ones = {"w": np.ones((2, 3), np.float32), "layers": [{"b": np.full(2, 2.0)}]}
    for _ in range(5):
        opt.step(ones)
    plateau = opt.param_groups[0]["lr"]
    for metric in (1.0, 2.0):
        plateau.update(metric)
        extra["stopping"].update(metric)
    extra["scaler"].step(lrcore.SGD(np.zeros(1)), np.array([np.inf]))
    extra["rng"].integers(100, size=3)
    extra["mean"] += 0.25
    return params, opt, {**extra, "epoch": 3, "history": [(1, 2.0), (2, float("inf"))]}


if __name__ == "__main__":
    _, opt, extra = made()
    path = Path(__file__).with_name(f"checkpoint-{VERSION}.safetensors")
    if path.exists():
        sys.exit(f"{path} is there: a golden checkpoint never changes")
    opt.save(path, extra=extra)
