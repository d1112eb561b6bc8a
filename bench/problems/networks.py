"""Networks of dense layers, on the digits and on functions."""

import numpy as np

from .base import generator, supervised
from .layers import (
    QUIET,
    absolute,
    friedman_1991,
    images,
    layers,
    network,
    softmax,
    squared,
)


def classifier(name, *hidden, activation="relu", gain=1.0, count=1797, **more):
    model = network(softmax, activation)
    start = layers(64, *hidden, 10, gain=gain)
    return supervised(name, "classifier", model, start, *images(count), **more)


def wave(name, *hidden, activation="tanh", gain=1.0, error=squared, **more):
    """A noisy sine of one variable."""
    rng = generator(name)
    x = rng.uniform(-2, 2, (256, 1))
    y = np.sin(3 * x) + 0.1 * rng.normal(size=x.shape)
    start = layers(1, *hidden, 1, gain=gain, last=QUIET, dtype=np.float64)
    model = network(error, activation)
    return supervised(name, "regressor", model, start, x, y, **more)


def friedman(name, *hidden, activation="relu", gain=1.0, scale=1.0, **more):
    """The function of Friedman 1991 with noise, standardized and scaled."""
    rng = generator(name)
    x = rng.random((512, 10))
    y = (friedman_1991(x) + rng.normal(size=len(x)))[:, None]
    y = scale * (y - y.mean()) / y.std()
    x, y = (2 * x - 1).astype(np.float32), y.astype(np.float32)
    start = layers(10, *hidden, 1, gain=gain, last=QUIET)
    model = network(squared, activation)
    return supervised(name, "regressor", model, start, x, y, **more)


def autoencoder(name, *hidden, activation="relu", gain=1.0, **more):
    x, _ = images(600)
    x = x - x.mean(axis=0)
    start = layers(64, *hidden, 64, gain=gain, last=QUIET)
    model = network(squared, activation)
    return supervised(name, "autoencoder", model, start, x, x, **more)


PROBLEMS = [
    classifier("digits-32", 32, batch=32),
    classifier("digits-64-tanh", 64, activation="tanh", batch=64),
    classifier("digits-8", 16, batch=8),
    classifier("digits-256", 24, batch=256),
    classifier("digits-deep", 32, 32, 32, batch=32),
    classifier("digits-deep-tanh", 24, 24, 24, activation="tanh", batch=16),
    classifier("digits-small-start", 32, 32, gain=0.3, batch=32),
    classifier("digits-large-start", 32, 32, gain=1.5, batch=32),
    classifier("digits-large-start-tanh", 32, gain=3.0, activation="tanh", batch=32),
    classifier("digits-few", 32, count=100, batch=10),
    classifier("digits-narrow", 4, batch=32),
    classifier("digits-whole", 16, count=200),
    wave("wave", 16, batch=32, steps=400),
    wave("wave-deep", 16, 16, batch=32, steps=400),
    wave("wave-relu", 32, activation="relu", batch=64, steps=400),
    wave("wave-absolute", 16, error=absolute, batch=16, steps=400),
    friedman("friedman", 32, batch=32),
    friedman("friedman-deep", 16, 16, 16, batch=32),
    friedman("friedman-tanh", 24, activation="tanh", batch=16),
    friedman("friedman-large", 24, scale=10.0, batch=64),
    autoencoder("autoencoder", 16, batch=32),
    autoencoder("autoencoder-deep-tanh", 24, 8, 24, activation="tanh", batch=32),
]
