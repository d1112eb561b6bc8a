"""Histories of runs and findings, made by hand, to draw."""

import numpy as np

from lrcore.monitor import Finding, History
from lrcore.schedules import Cosine


def made(step, loss, low, high, lr, grad_norm, update_ratio, validation):
    """A history; what pictures do not show is NaN."""
    given = dict(locals())
    given["nonfinite"] = 1.0 - (np.isfinite(loss) & np.isfinite(high))
    given["nonfinite_grads"] = 1.0 * np.isinf(grad_norm)
    given["steps"] = np.ones(len(loss))
    no = np.full(len(loss), np.nan)
    return History(**dict.fromkeys(History._fields, no) | given)


def found(kind, step, since, evidence, cause, remedy):
    errors, info = ("diverging", "non-finite loss"), ("healthy", "plateau")
    severity = "error" if kind in errors else "info" if kind in info else "warning"
    return Finding(kind, severity, step, since, evidence, cause, remedy)


def history(loss, every=1, **more):
    """A history of these losses; what is not given is NaN."""
    loss = np.array(loss, float)
    no = np.full(len(loss), np.nan)
    rest = dict.fromkeys(("lr", "grad_norm", "update_ratio", "validation"), no) | more
    step = np.arange(len(loss)) * float(every)
    return made(step, loss, low=loss, high=loss, **rest)


def nothing():
    return history([])


def run(blocks, every, diverges):
    """A run with noise, a decaying learning rate and telemetry."""
    rng, x = np.random.default_rng(0), np.arange(blocks) / blocks
    trend = 2.3 * np.exp(-5 * x) + 0.08
    if diverges:
        trend[blocks * 7 // 10 : blocks * 76 // 100] *= np.geomspace(1, 8000, 60)
    loss = trend * np.exp(rng.normal(0, 0.25, blocks))
    high = loss * np.exp(rng.random(blocks))
    grad_norm = 3 * trend * np.exp(rng.normal(0, 0.4, blocks))
    if diverges:
        gone = slice(blocks * 76 // 100, blocks * 78 // 100)
        loss[gone], high[gone], grad_norm[gone] = np.nan, np.inf, np.inf
    ratio = (1.02 - x) * np.exp(rng.normal(-6.9, 0.3, blocks))
    validation = np.full(blocks, np.nan)
    validation[:: max(1, blocks // 20)] = (1.1 * trend + 0.1 * x)[
        :: max(1, blocks // 20)
    ]
    lr = Cosine(0.1, total=blocks * every).warmup(max(1, blocks * every // 20))
    low = loss * np.exp(-rng.random(blocks))
    step = np.arange(blocks) * float(every)
    return made(step, loss, low, high, lr(step), grad_norm, ratio, validation)


DIVERGED = run(1000, 100, True)
HEALTHY = run(40, 1, False)
FINDINGS = [
    found("oscillating", 32000, 30000, "the slope of the loss changed its sign in 14 "
            "of 15 blocks, by 30 % of its mean", "a learning rate above the stable one",
            "halve the learning rate, or add momentum"),
    found("diverging", 76000, 70000, "the loss rose 8000-fold, from 0.15 to 1200",
            "too large a learning rate", "divide it by 3, or clip gradients at 1.0"),
    found("non-finite loss", 76100, 76100, "20 blocks have a NaN", "the divergence",
            "start anew with skip_nonfinite=True"),
    found("plateau", 99000, 90000, "the loss fell by less than 0.1 %",
            "the learning rate has decayed", "stop, at a cost of $0 instead of $9"),
]  # fmt: skip
