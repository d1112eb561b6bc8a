"""A short training with all that stands around it: run it as a program."""

import tempfile

import numpy as np

import lrcore
from lrcore.schedules import Cosine


def trained(folder):
    """Train, save, load, draw; return the last loss."""
    w = np.ones((4, 3), np.float32)
    lr = Cosine(0.1, total=60).warmup(5)
    opt = lrcore.AdamW({"w": w}, lr=lr, clip_norm=1.0, telemetry=True)
    monitor = lrcore.Monitor(opt)
    for _ in range(60):
        opt.step({"w": 2 * w})
        monitor.update(float((w * w).sum()))
    opt.save(f"{folder}/run.safetensors", extra={"monitor": monitor})
    opt.load(f"{folder}/run.safetensors", extra={"monitor": monitor})
    monitor.plot(f"{folder}/run.png")
    monitor.report_html(f"{folder}/run.html")
    found = lrcore.lr_find(
        lrcore.SGD(w), lambda _: (float((w * w).sum()), 2 * w), [0], trial_steps=0
    )
    swept = lrcore.sweep(lambda lr: [1.0, lr], [0.1, 0.2])
    found.plot(f"{folder}/found.svg")
    for told in (opt, opt.report, monitor, found, swept, lr):
        assert str(told)
        assert repr(told)
    return float((w * w).sum())


if __name__ == "__main__":
    lrcore.show_config()
    with tempfile.TemporaryDirectory() as folder:
        print(f"{trained(folder):.6g}")
