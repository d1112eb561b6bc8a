"""Clicks: sparse features, and a class that has 2 % of the rows."""

import numpy as np

from .base import generator, supervised
from .layers import layers, logistic, network

ROWS, FIELDS, VALUES = 6000, 6, 15
RATE = 0.02


def impressions(name):
    """Return rows with a 1 for the value of each field, and labels whose mean is RATE.

    The log of a label's chance is a sum of effects of values and of their pairs.
    """
    rng = generator(name)
    often = 1 / (1 + np.arange(VALUES))
    drawn = rng.choice(VALUES, (ROWS, FIELDS), p=often / often.sum())
    x = np.eye(VALUES, dtype=np.float32)[drawn].reshape(ROWS, -1)
    z = x @ rng.normal(size=x.shape[1])
    vectors = rng.normal(size=(x.shape[1], 3)) / 2
    z += (((x @ vectors) ** 2).sum(axis=1) - (x @ vectors**2).sum(axis=1)) / 2
    p = np.exp(z - z.max())
    for _ in range(100):  # find the intercept
        p *= RATE / np.minimum(p, 1).mean()
    y = rng.random(ROWS) < np.minimum(p, 1)
    return x, y[:, None].astype(np.float32)


def regression(name, *hidden, batch, **more):
    """Logistic regression, or a network."""
    start = layers(FIELDS * VALUES, *hidden, 1, gain=1.0 if hidden else 0.01, last=0.2)
    x, y = impressions(name)
    return supervised(name, "clicks", network(logistic), start, x, y, batch, **more)


def factorization_machine(name, size, batch, **more):
    """Vectors whose inner products are the effects of pairs (Rendle 2010)."""
    x, y = impressions(name)

    def params(rng):
        p = {"b": np.zeros(1), "w": np.zeros((x.shape[1], 1))}
        p["v"] = 0.1 * rng.normal(size=(x.shape[1], size))
        return {k: a.astype(np.float32) for k, a in p.items()}

    def loss_and_grad(p, batch):
        x, y = batch
        v = p["v"]
        together = x @ v
        pairs = (together * together).sum(axis=1) - (x @ (v * v)).sum(axis=1)
        loss, d = logistic(p["b"] + x @ p["w"] + pairs[:, None] / 2, y)
        by_w = x.T @ d
        return loss, {
            "b": d.sum(axis=0),
            "w": by_w,
            "v": x.T @ (d * together) - by_w * v,
        }

    return supervised(name, "clicks", loss_and_grad, params, x, y, batch, **more)


PROBLEMS = [
    regression("clicks", batch=256),
    factorization_machine("clicks-pairs", 4, 128),
    regression("clicks-network", 16, batch=256),
]
