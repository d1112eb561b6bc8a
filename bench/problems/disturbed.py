"""Runs that are disturbed: by batches, changing data, rates, or too few data."""

import numpy as np

from .base import generator, supervised
from .layers import QUIET, images, layers, network, softmax, squared
from .linear import softmaxes
from .models import embedding
from .networks import autoencoder, classifier, friedman, wave
from .starts import on_digits, on_friedman

# --- batches --------------------------------------------------------------------------


def spoiled(name, kind, problem, factor):
    """Multiply the loss and gradients of 1 % of the batches by a factor."""

    def batches(rng):
        for batch in problem.batches(rng):
            yield batch, factor if rng.random() < 0.01 else 1.0

    def loss_and_grad(p, batch):
        loss, grads = problem.loss_and_grad(p, batch[0])
        if batch[1] == 1:
            return loss, grads
        return batch[1] * loss, [g.dtype.type(batch[1]) * g for g in grads]

    return problem._replace(
        name=name, kind=kind, batches=batches, loss_and_grad=loss_and_grad,
        group="disturbed", options={"skip_nonfinite": True},
    )  # fmt: skip


def shifted(name, before, after):
    """From the middle of the run on, the data are those of another problem."""

    def batches(rng):
        first = before.batches(rng)
        for _ in range(after.steps // 2):
            yield next(first)
        yield from after.batches(rng)

    return after._replace(
        name=name, kind="data shift", batches=batches, group="disturbed"
    )


# --- rates ----------------------------------------------------------------------------


def warm_up(share):
    return min(1.0, 0.01 + share / 0.2)


def restarts(share):
    """Return a half cosine to 0, four times (Loshchilov & Hutter 2017)."""
    return 0.5 + 0.5 * float(np.cos(np.pi * (4 * share % 1)))


def jump(share):
    return 1.0 if share < 0.7 else 30.0


def climb(share):
    """Return 1, and in the last third a factor that grows to 100."""
    return 1.0 if share < 2 / 3 else 100 ** (3 * share - 2)


def scheduled(name, kind, problem, schedule):
    return problem._replace(name=name, kind=kind, schedule=schedule, group="disturbed")


# --- too few data ---------------------------------------------------------------------


def few(name, error, start, x, y, rows, **more):
    """Train on the first rows; the others are for validation."""
    model = network(error)
    problem = supervised(name, "overfitting", model, start, x[:rows], y[:rows], **more)
    rest = x[rows:], y[rows:]
    return problem._replace(group="disturbed", validate=lambda p: model(p, rest)[0])


def few_digits(name, rows, **more):
    """A fifth of the labels of the digits is random."""
    rng = generator(name)
    x, y = images()
    y = np.where(rng.random(len(y)) < 0.2, rng.integers(10, size=len(y)), y)
    return few(name, softmax, layers(64, 32, 10), x, y, rows, **more)


def few_friedman(name, rows, **more):
    """A function like that of Friedman 1991, with much noise."""
    rng = generator(name)
    x = rng.uniform(-1, 1, (rows + 500, 10)).astype(np.float32)
    y = np.sin(1.5 * (1 + x[:, 0]) * (1 + x[:, 1])) + x[:, 2] ** 2 + x[:, 3]
    y = (y + 0.7 * rng.normal(size=len(y)))[:, None].astype(np.float32)
    return few(name, squared, layers(10, 48, 1, last=QUIET), x, y, rows, **more)


PROBLEMS = [
    spoiled("nan-digits", "nan batches", classifier("whole-digits", 24, batch=32),
            np.nan),
    spoiled("nan-wave", "nan batches", wave("whole-wave", 16, batch=32), np.nan),
    spoiled("spiky-friedman", "spikes", friedman("calm-friedman", 24, batch=32), 100.0),
    spoiled("spiky-softmax", "spikes", softmaxes("calm-softmax", batch=32), 100.0),
    shifted("shifted-friedman", on_friedman("before"),
            on_friedman("after", slope=-10.0)._replace(steps=400)),
    shifted("shifted-digits", on_digits("upright"),
            on_digits("turned", turned=1797)._replace(steps=400)),
    scheduled("warm-up-digits", "warm-up", classifier("cold-digits", 32, 32, batch=32),
              warm_up),
    scheduled("warm-up-wave", "warm-up", wave("cold-wave", 16, 16, batch=32), warm_up),
    scheduled("restarts-friedman", "restarts", friedman("steady-friedman", 24, batch=16,
                                                        steps=400), restarts),
    scheduled("restarts-words", "restarts", embedding("steady-words", 25, 8, 0.3,
                                                      batch=32, steps=400), restarts),
    scheduled("jump-digits", "late rate", classifier("even-digits", 24, batch=32,
                                                     steps=400), jump),
    scheduled("jump-autoencoder", "late rate", autoencoder("even-autoencoder", 16,
                                                           batch=32, steps=400), jump),
    scheduled("climb-friedman", "late rate", friedman("even-friedman", 24, batch=32,
                                                      steps=400), climb),
    scheduled("climb-wave", "late rate", wave("even-wave", 16, batch=32, steps=400),
              climb),
    few_digits("few-digits", 120, batch=20, steps=400),
    few_friedman("few-friedman", 60, batch=20, steps=400),
]  # fmt: skip
