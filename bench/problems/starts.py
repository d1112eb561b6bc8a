"""Starts near the optimum: params that were trained before, and floors of noise."""

from itertools import islice

import numpy as np

import lrcore

from .base import generator, supervised
from .functions import bowl
from .layers import (
    QUIET,
    friedman_1991,
    images,
    layers,
    network,
    softmax,
    squared,
    table,
)
from .linear import classes, line


def continued(name, kind, before, after, *, rate, steps=300):
    """Return the problem `after`, with params that AdamW has trained on `before`."""

    def params(rng):
        p = before.params(rng)
        opt = lrcore.AdamW(p, lrcore.schedules.Cosine(rate, total=steps))
        for batch in islice(before.batches(rng), steps):
            opt.step(before.loss_and_grad(p, batch)[1])
        return p

    return after._replace(name=name, kind=kind, params=params, group="near the optimum")


def on_digits(name, *, contrast=1.0, noise=0.0, turned=0):
    """A network on digits of another contrast, with noise, or the first ones turned."""
    x, y = images()
    x = contrast * x + noise * generator(name).normal(size=x.shape)
    rows = np.arange(len(x)) < turned
    x[rows] = x[rows].reshape(-1, 8, 8).transpose(0, 2, 1).reshape(-1, 64)
    start = layers(64, 32, 10)
    return supervised(
        name, "fine-tuning", network(softmax), start, x.astype(np.float32), y, batch=32
    )


def on_friedman(name, *, slope=10.0, wave=10.0):
    """The function of Friedman 1991 with other coefficients, and its noise."""
    rng = generator(name)
    x = rng.random((512, 10))
    y = (friedman_1991(x, wave, slope) - 14) / 5
    y = (y + 0.2 * rng.normal(size=len(x)))[:, None].astype(np.float32)
    x = (2 * x - 1).astype(np.float32)
    start = layers(10, 32, 1, last=QUIET)
    return supervised(name, "fine-tuning", network(squared), start, x, y, batch=32)


def little_to_learn(name, *hidden, share, **more):
    """Regression on noise but for this share of the variance (R^2)."""
    rng = generator(name)
    x = table(rng, 4000, 10, 3)
    y = np.tanh(x @ rng.normal(size=(10, 1)))
    y = share**0.5 * (y - y.mean()) / y.std()
    y += (1 - share) ** 0.5 * rng.normal(size=y.shape)
    y = y.astype(np.float32)
    start = layers(10, *hidden, 1, gain=1.0 if hidden else 0.01, last=0.02)
    return supervised(name, "floor", network(squared, "tanh"), start, x, y,
                      group="near the optimum", **more)  # fmt: skip


def again(name, problem, **more):
    """The same problem, trained before for a while."""
    return continued(name, "warm start", problem, problem, **more)


PROBLEMS = [
    continued("tuned-noisy-digits", "fine-tuning", on_digits("clean"),
              on_digits("noisy", noise=0.2), rate=0.01),
    continued("tuned-friedman", "fine-tuning", on_friedman("first"),
              on_friedman("second", slope=8.0, wave=12.0), rate=0.03),
    continued("tuned-faint-digits", "fine-tuning", on_digits("clean"),
              on_digits("faint", contrast=0.4), rate=0.01),
    continued("tuned-few-turned", "fine-tuning", on_digits("clean"),
              on_digits("turned", turned=80), rate=0.01),
    again("warm-linear", line("warm-line", 10, 10, 1.0, batch=16), rate=0.03, steps=60),
    again("warm-logistic", classes("warm-classes", 10, 30, 0.3, batch=16, scale=2.0),
          rate=0.1, steps=60),
    again("warm-digits", on_digits("warm"), rate=0.01, steps=150),
    again("warm-bowl", bowl("warm-noise", 10, 30, noise=0.3), rate=0.3, steps=100),
    little_to_learn("floor", share=0.02, batch=32, steps=400),
    little_to_learn("floor-network", 16, share=0.05, batch=64, steps=400),
]  # fmt: skip
