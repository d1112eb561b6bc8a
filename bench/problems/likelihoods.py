"""Negative log-likelihoods that go below 0."""

import numpy as np

from .base import Problem, generator, supervised
from .layers import QUIET, layers, network, table

HALF_LOG_2PI = 0.5 * float(np.log(2 * np.pi))


def poisson(z, y):
    """Return the mean of exp(z) - y z, without the constant log y!, and its derivative.

    z is the log of the expected count.
    """
    expected = np.exp(z)
    return float((expected - y * z).sum()) / len(z), (expected - y) / len(z)


def normal(z, y):
    """Return the mean negative log-likelihood of N(z_0, exp(z_1)), likewise."""
    error, precision = y[:, 0] - z[:, 0], np.exp(-z[:, 1])
    square = error * error * precision
    loss = float((0.5 * (z[:, 1] + square)).sum()) / len(z) + HALF_LOG_2PI
    d = np.stack([-error * precision, 0.5 * (1 - square)], axis=1)
    return loss, d / len(z)


def mixture(z, y):
    """Return that of a mixture of normals (Bishop 1994), likewise.

    z has the logits of K components, then their means, then logs of their deviations.
    """
    logit, mean, log_std = np.split(z, 3, axis=1)
    away = (y - mean) * np.exp(-log_std)
    joint = logit - 0.5 * away * away - log_std
    top, first = joint.max(axis=1, keepdims=True), logit.max(axis=1, keepdims=True)
    joint, prior = np.exp(joint - top), np.exp(logit - first)
    total, weight = joint.sum(axis=1, keepdims=True), prior.sum(axis=1, keepdims=True)
    loss = np.log(weight) + first - np.log(total) - top
    share = joint / total
    d = np.concatenate(
        [prior / weight - share, -share * away * np.exp(-log_std),
         share * (1 - away * away)], axis=1,
    )  # fmt: skip
    return float(loss.sum()) / len(z) + HALF_LOG_2PI, d / len(z)


def counts(name, *hidden, level, features=8, **more):
    """Poisson regression of counts whose mean is about exp(level)."""
    rng = generator(name)
    x = table(rng, 500, features, 10)
    z = level + x @ rng.normal(size=(features, 1)) / 2
    y = rng.poisson(np.exp(np.minimum(z, 6))).astype(np.float32)
    start = layers(features, *hidden, 1, gain=1.0 if hidden else 0.1, last=QUIET)
    model = network(poisson, "tanh")
    return supervised(name, "counts", model, start, x, y, group="below 0", **more)


def spread(name, *hidden, noise, activation="tanh", **more):
    """A sine whose noise depends on x: a network has its mean and log-variance."""
    rng = generator(name)
    x = rng.uniform(-2, 2, (400, 1))
    y = np.sin(2 * x) + noise * (0.1 + np.abs(x)) * rng.normal(size=x.shape)
    start = layers(1, *hidden, 2, last=QUIET, dtype=np.float64)
    model = network(normal, activation)
    return supervised(name, "spread", model, start, x, y, group="below 0", **more)


def density(name, components, *hidden, noise, **more):
    """The branches of x = y + 0.3 sin(2 pi y), by a mixture density network."""
    rng = generator(name)
    y = rng.random((500, 1))
    x = y + 0.3 * np.sin(2 * np.pi * y) + noise * rng.normal(size=y.shape)
    start = layers(1, *hidden, 3 * components, dtype=np.float64)
    model = network(mixture, "tanh")
    x, y = 4 * (x - x.mean()), y - 0.5
    return supervised(name, "density", model, start, x, y, group="below 0", **more)


def gaussian_process(name, size, features, noise, batch=None):
    """The log marginal likelihood of a Gaussian process, a point.

    Rasmussen & Williams 2006, equation 5.8.  The params are logs: of the length of each
    feature, of the kernel's amplitude and of the noise's deviation.  A batch is some of
    the points.
    """
    rng = generator(name)
    x = rng.uniform(-2, 2, (size, features))
    y = np.sin(2 * x[:, 0]) + 0.3 * x[:, -1] + noise * rng.normal(size=size)

    def params(rng):
        return [rng.normal(0, 0.3, features), rng.normal(0, 0.3, 2)]

    def batches(rng):
        while True:
            yield slice(None) if batch is None else rng.choice(size, batch, False)

    def loss_and_grad(p, rows):
        lengths, (amplitude, deviation) = np.exp(-2 * p[0]), np.exp(2 * p[1])
        xs, ys = x[rows], y[rows]
        apart = xs[:, None] - xs
        apart *= apart
        kernel = amplitude * np.exp(-0.5 * apart @ lengths)
        n = len(xs)
        try:
            inverse = np.linalg.inv(kernel + (deviation + 1e-9) * np.eye(n))
            sign, log_det = np.linalg.slogdet(inverse)
        except np.linalg.LinAlgError:
            sign = 0
        if sign <= 0:  # the params are far out of range
            return np.nan, [np.full_like(a, np.nan) for a in p]
        alpha = inverse @ ys
        loss = 0.5 * float(ys @ alpha - log_det) / n + HALF_LOG_2PI
        d = 0.5 * (inverse - np.outer(alpha, alpha)) / n
        by_kernel = d * kernel
        by_length = np.tensordot(by_kernel, apart, 2) * lengths
        others = np.array([2 * by_kernel.sum(), 2 * deviation * np.trace(d)])
        return loss, [by_length, others]

    def full_loss(p):
        return loss_and_grad(p, slice(None))[0]

    return Problem(name, "gaussian process", 200, params, batches, loss_and_grad,
                   full_loss, group="below 0")  # fmt: skip


PROBLEMS = [
    counts("counts", level=2.0, batch=32),
    counts("counts-network", 16, level=3.0, batch=64),
    counts("counts-noisy", level=1.5, features=16, batch=8),
    counts("counts-whole", level=1.0),
    spread("spread", 16, noise=0.05, batch=32),
    spread("spread-small", 16, 16, noise=0.02, batch=64, steps=400),
    density("density", 3, 16, noise=0.05, batch=32, steps=400),
    density("density-sharp", 5, 16, noise=0.02, batch=64, steps=400),
    gaussian_process("gaussian-process", 32, 1, 0.05),
    gaussian_process("gaussian-process-batch", 100, 3, 0.1, batch=24),
]
