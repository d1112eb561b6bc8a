"""A task to find a learning rate for, and ways to find it."""

import itertools
import pickle
import random
from functools import partial

import numpy as np
import pytest
from helpers import all_same, same_states

import lrcore
from lrcore import LRSweep, lr_find
from lrcore.schedules import Cosine


class Task:
    """Noisy linear regression, with params of two groups, and every generator used."""

    def __init__(self, build, seed=0):
        draw = np.random.default_rng(seed)
        self.x = draw.normal(size=(64, 6)).astype(np.float32)
        self.y = self.x @ draw.normal(size=(6, 2)).astype(np.float32) + 1
        self.body = {"W": np.zeros((6, 2), np.float32)}
        self.head = np.zeros(2, np.float32)
        self.rng = np.random.default_rng(5)
        self.legacy = np.random.RandomState(6)
        self.opt = build([{"params": self.body}, {"params": self.head, "lr": 0.003}])
        self.calls = 0

    def loss_and_grad(self, rows):
        self.calls += 1
        noise = np.random.normal() + random.random() + self.rng.normal()  # noqa: NPY002
        noise += self.legacy.normal()
        x = self.x[rows]
        error = x @ self.body["W"] + self.head - self.y[rows] + np.float32(noise / 50)
        loss = 0.5 * (error * error).sum() / len(x)
        error = error / np.float32(len(x))
        return loss, [{"W": x.T @ error}, error.sum(axis=0)]

    def batches(self):
        return np.arange(64).reshape(8, 8)

    def train(self, steps):
        for rows in itertools.islice(itertools.cycle(self.batches()), steps):
            self.opt.step(self.loss_and_grad(rows)[1])

    def everything(self):
        """Copies of all that the test has to put back."""
        saved = pickle.loads(pickle.dumps(self.opt.state_dict()))
        generators = (self.rng.bit_generator.state, self.legacy.get_state(legacy=False),
                      random.getstate(), np.random.get_state(legacy=False))  # fmt: skip  # noqa: NPY002
        return [self.body["W"].copy(), self.head.copy()], saved, generators


def assert_same(before, after):
    assert all_same(after[0], before[0])
    assert same_states(after[1].pop("state"), before[1].pop("state"))
    assert repr(after[1]) == repr(before[1])  # floats are told exactly
    assert repr(after[2]) == repr(before[2])


def plateau(params):
    schedule = lrcore.ReduceOnPlateau(Cosine(0.1, total=50), patience=1)
    opt = lrcore.AdamW(params, lr=0.1)
    for group in opt.param_groups:
        group["lr"] = schedule
    schedule.update(1.0)
    schedule.update(2.0)
    return opt


BUILDS = {
    "SGD": partial(lrcore.SGD, lr=0.01),
    "averages": partial(
        lrcore.Adam, lr=0.01, amsgrad=True, ema_decay=0.9, swa_start=2, swa_every=2,
        lookahead_steps=3,
    ),
    "clipped": partial(
        lrcore.SGD, lr=0.01, momentum=0.9, clip_norm=1.0, skip_nonfinite=True,
        zero_grads=True, telemetry=True,
    ),
    "accumulate": partial(lrcore.AdamW, lr=0.01, accumulate=3),
    "scheduled": partial(
        lrcore.RMSprop, lr=Cosine(0.01, total=50).warmup(5), centered=True,
        momentum=Cosine(0.9, total=50),
    ),
    "plateau": plateau,
    "factored": partial(lrcore.Adafactor, lr=0.01),
    "scaled": partial(lrcore.LAMB, lr=0.01),
    "Muon": partial(lrcore.Muon, lr=0.01),
}  # fmt: skip
each_build = pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)


def find(task, **more):
    given = {"rng": [task.rng, task.legacy], "trial_steps": 20, **more}
    return lr_find(task.opt, task.loss_and_grad, task.batches(), **given)


def noisy_line(sign=1.0, offset=0.0):
    """SGD on a linear regression, its loss and gradient, and 10 batches."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3))
    y = x @ [1.0, -2.0, 3.0] + rng.normal(0, 0.3, 100)
    w = np.zeros(3)

    def loss_and_grad(rows):
        error = x[rows] @ w - y[rows]
        return error @ error / 20 + offset, sign * (x[rows].T @ error) / 10

    return lrcore.SGD(w), loss_and_grad, list(np.arange(100).reshape(10, 10))


def swept(losses, **more):
    """The result of a sweep in which these are the losses; the last stays."""
    opt = lrcore.SGD(np.zeros(1))
    given = {"trial_steps": 0, **more}
    with LRSweep(opt, **given) as sweep:
        for k, _ in enumerate(sweep):
            sweep.record(losses[min(k, len(losses) - 1)])
    return sweep.result
