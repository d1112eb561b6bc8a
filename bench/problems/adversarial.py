"""Generative adversarial networks (Goodfellow et al. 2014) of points.

The loss of a batch is that of the discriminator plus that of the generator, each by the
other's params held; the generator's is not saturating.  `full_loss` is the energy
distance of generated points to the data (Székely & Rizzo 2013).
"""

import numpy as np

from .base import Problem, generator
from .layers import QUIET, backward, forward, layers, sigmoid


def distance(x, y):
    return float(np.sqrt(((x[:, None] - y) ** 2).sum(axis=2)).mean())


def against(name, x, hidden, batch):
    """A generator and a discriminator, with a hidden layer each.

    The first four params are the generator's, the others the discriminator's, whose
    output is the logit of "real".
    """
    x = x.astype(np.float32)
    size = x.shape[1]
    draw_generator = layers(2, hidden, size, last=QUIET)
    draw_discriminator = layers(size, hidden, 1)
    fixed = generator(name).normal(size=(len(x), 2)).astype(np.float32)
    within = distance(x, x)

    def params(rng):
        return [*draw_generator(rng), *draw_discriminator(rng)]

    def batches(rng):
        while True:
            rows = rng.integers(len(x), size=batch)
            yield x[rows], rng.normal(size=(batch, 2)).astype(np.float32)

    def losses(p, batch, held):
        """Return the loss; the logits and layers' inputs of both parts.

        Those of the discriminator's part are logits of a wrong answer, those of the
        generator's part logits of "real".
        """
        real, z = batch
        n = len(z)
        fake = forward(held[:4], z, "tanh")[0]
        wrong, d_inputs = forward(p[4:], np.concatenate([real, fake]), "tanh")
        wrong[:n] *= -1
        fake, g_inputs = forward(p[:4], z, "tanh")
        said, held_inputs = forward(held[4:], fake, "tanh")
        loss = float(np.logaddexp(0, wrong).sum() + np.logaddexp(0, -said).sum()) / n
        return loss, (wrong, d_inputs), (said, held_inputs), g_inputs

    def loss_and_grad(p, batch):
        loss, (wrong, d_inputs), (said, held_inputs), g_inputs = losses(p, batch, p)
        n = len(said)
        d = sigmoid(wrong) / n
        d[:n] *= -1
        d_grads = backward(p[4:], d_inputs, d, "tanh")
        d = -sigmoid(-said) / n
        _, d = backward(p[4:], held_inputs, d, "tanh", through=True)
        return loss, [*backward(p[:4], g_inputs, d, "tanh"), *d_grads]

    def surrogate(p, batch, held):
        return losses(p, batch, held)[0]

    def full_loss(p):
        y = forward(p[:4], fixed, "tanh")[0]
        return 2 * distance(x, y) - distance(y, y) - within

    return Problem(
        name, "adversarial", 400, params, batches, loss_and_grad, full_loss,
        group="without a meaning", loss="adversarial", surrogate=surrogate,
    )  # fmt: skip


ROWS = 256


def two_hills(rng):
    return (rng.choice([-1.5, 1.5], (ROWS, 1)) + 0.3 * rng.normal(size=(ROWS, 1))) + 0.5


def cloud(rng):
    return 1.0 + rng.normal(size=(ROWS, 2)) @ np.array([[1.0, 0.8], [0.0, 0.4]])


PROBLEMS = [
    against("hills", two_hills(generator("two hills")), 16, 32),
    against("cloud", cloud(generator("a cloud")), 16, 64),
]
