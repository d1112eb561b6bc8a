"""Losses of 1e6 and 1e-6."""

from .base import generator, supervised
from .layers import layers, network, squared, table
from .networks import autoencoder, classifier, friedman, wave


def scaled(name, problem, factor):
    """The problem, with its loss multiplied by this factor, as a sum over data has."""

    def loss_and_grad(p, batch):
        loss, grads = problem.loss_and_grad(p, batch)
        return factor * loss, [g.dtype.type(factor) * g for g in grads]

    return problem._replace(
        name=name, kind="scale", loss_and_grad=loss_and_grad, scale=factor,
        full_loss=lambda p: factor * problem.full_loss(p),
    )  # fmt: skip


def prices(name, features, unit, **more):
    """Linear regression of targets in a small unit, so that they are large."""
    rng = generator(name)
    x = table(rng, 400, features, 10)
    y = x @ rng.normal(size=(features, 1)) + 0.3 * rng.normal(size=(400, 1)) + 2
    y = (unit * y).astype("f4")
    start = layers(features, 1, gain=0.1)
    return supervised(name, "units", network(squared), start, x, y, **more)


PROBLEMS = [
    scaled("large-wave", wave("usual-wave", 16, batch=32, steps=400), 1e6),
    scaled("large-digits", classifier("usual-digits", 24, batch=32), 1e6),
    scaled("small-autoencoder", autoencoder("usual-autoencoder", 16, batch=32), 1e-6),
    scaled("small-friedman", friedman("usual-friedman", 24, batch=32), 1e-6),
    prices("prices", 10, 50.0, batch=32),
    friedman("prices-network", 32, scale=300.0, batch=32)._replace(kind="units"),
]
