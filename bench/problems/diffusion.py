"""The noise in noisy data, predicted as a diffusion model does (Ho et al. 2020)."""

import numpy as np

from .base import Problem, generator
from .layers import QUIET, images, layers, network, squared


def rings(rng, rows):
    """Points on two circles."""
    angle, radius = 2 * np.pi * rng.random(rows), rng.choice([0.5, 1.2], rows)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def noise_of(name, x, *hidden, batch):
    """Predict e from sqrt(a) x + sqrt(1 - a) e and a = cos^2(pi t / 2)."""
    x = x.astype(np.float32)
    size = x.shape[1]
    start = layers(size + 4, *hidden, size, last=QUIET)
    model = network(squared, "tanh")

    def noisy(rng, rows):
        t = rng.uniform(0.02, 0.98, (len(rows), 1))
        e = rng.normal(size=(len(rows), size))
        much, time = np.pi / 2 * t, np.pi * t
        z = np.cos(much) * x[rows] + np.sin(much) * e
        z = np.hstack(
            [z, np.sin(time), np.cos(time), np.sin(2 * time), np.cos(2 * time)]
        )
        return z.astype(np.float32), e.astype(np.float32)

    def batches(rng):
        while True:
            yield noisy(rng, rng.integers(len(x), size=batch))

    all_data = noisy(generator(name), np.arange(len(x)).repeat(4))

    def full_loss(p):
        return model(p, all_data)[0]

    return Problem(name, "diffusion", 400, start, batches, model, full_loss)


PROBLEMS = [
    noise_of("diffusion-rings", rings(generator("rings"), 500), 32, 32, batch=32),
    noise_of("diffusion-digits", 2 * images(500)[0] - 1, 32, batch=32),
]
