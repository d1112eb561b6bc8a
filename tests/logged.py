"""A log that keeps what it is passed, and a run that has a log."""

import numpy as np

import lrcore
from lrcore import Monitor


class Kept(list):
    """A log that keeps what it is passed."""

    def __call__(self, *passed):
        self.append(passed)


def run(steps, lr=0.1, log=None, monitor=None, **more):
    """Descend on a bowl, which diverges from 2 / 7 on; return the optimizer."""
    w, curvature = np.ones(2), np.array([1.0, 7.0])
    opt = lrcore.SGD(w, lr=lr, **more)
    monitor = Monitor(opt, log=log)
    for _ in range(steps):
        loss = float(0.5 * (curvature * w**2).sum())
        opt.step(curvature * w)
        monitor.update(loss)
    return opt, monitor
