"""Linear and logistic regression."""

import numpy as np

from .base import generator, supervised
from .layers import absolute, images, layers, logistic, network, softmax, squared, table


def line(name, features, condition, noise, error=squared, scale=1.0, **more):
    """Linear regression; y depends equally on each singular vector of the features."""
    rng = generator(name)
    x = table(rng, 400, features, condition)
    u = np.linalg.svd(x.astype(float), full_matrices=False)[0]
    y = u @ rng.normal(size=(features, 1)) * (len(x) / features) ** 0.5
    y = (y + noise * rng.normal(size=y.shape)).astype(np.float32)
    start = layers(features, 1, gain=0.1)
    x *= np.float32(scale)
    return supervised(name, "linear", network(error), start, x, y, **more)


def classes(name, features, condition, noise, scale=1.0, **more):
    """Two classes, separated by a plane; a share `noise` of the labels is random."""
    rng = generator(name)
    x = table(rng, 400, features, condition)
    w = np.linalg.lstsq(x, rng.normal(size=(len(x), 1)), rcond=None)[0]
    y = x @ w > 0
    y = np.where(rng.random(y.shape) < noise, rng.random(y.shape) < 0.5, y)
    y = y.astype(np.float32)
    x *= np.float32(scale)
    start = layers(features, 1, gain=0.1)
    return supervised(name, "logistic", network(logistic), start, x, y, **more)


def softmaxes(name, scale=1 / 16, gain=0.1, **more):
    """The digits, with a linear model."""
    start = layers(64, 10, gain=gain)
    data = images(scale=scale)
    return supervised(name, "logistic", network(softmax), start, *data, **more)


PROBLEMS = [
    line("linear-well", 10, 1, 0.3, batch=32),
    line("linear-100", 10, 100, 0.3, batch=32),
    line("linear-1000", 20, 1e3, 0.1, steps=500),
    line("linear-noisy", 20, 10, 2.0, batch=8),
    line("linear-large", 10, 10, 0.3, scale=20.0, batch=64),
    line("linear-absolute", 10, 10, 0.3, error=absolute, batch=32),
    classes("logistic-well", 10, 1, 0.1, batch=32),
    classes("logistic-1000", 10, 1e3, 0.1, scale=3.0),
    classes("logistic-noisy", 20, 10, 0.4, batch=16, scale=2.0),
    softmaxes("softmax-8", batch=8),
    softmaxes("softmax-256", batch=256),
    softmaxes("softmax-raw", scale=1.0, gain=0.03, batch=32),
]
