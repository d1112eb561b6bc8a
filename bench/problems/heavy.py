"""Gradients with noise of Student's t with 2 degrees, which has no finite variance."""

import numpy as np

from .base import generator, supervised
from .functions import bowl
from .layers import layers, network, squared, table
from .models import embedding
from .networks import classifier

DEGREES = 2


def outliers(name, features, *hidden, noise, **more):
    """Regression on targets with heavy-tailed noise; judged without the noise."""
    rng = generator(name)
    x = table(rng, 600, features, 10)
    clean = 2 * np.tanh(x @ rng.normal(size=(features, 1))).astype(np.float32)
    y = clean + np.float32(noise) * rng.standard_t(DEGREES, clean.shape).astype("f4")
    model = network(squared, "tanh")
    start = layers(features, *hidden, 1, gain=1.0 if hidden else 0.1)
    problem = supervised(name, "outliers", model, start, x, y, **more)
    return problem._replace(
        full_loss=lambda p: model(p, (x, clean))[0], group="heavy-tailed"
    )


def tilted(name, problem, scale):
    """Add the inner product of heavy-tailed noise and the params to each loss.

    So the noise is added to the gradient, and the gradient is still that of the loss.
    The params are a list or a dict.
    """

    def batches(rng):
        for batch in problem.batches(rng):
            yield batch, int(rng.integers(2**32))

    def loss_and_grad(p, batch):
        batch, seed = batch
        rng = np.random.default_rng(seed)
        loss, grads = problem.loss_and_grad(p, batch)
        for k in p if isinstance(p, dict) else range(len(p)):
            noise = scale * rng.standard_t(DEGREES, p[k].shape).astype(p[k].dtype)
            loss += float((noise * p[k]).sum())
            grads[k] = grads[k] + noise
        return loss, grads

    return problem._replace(
        name=name, kind="heavy noise", batches=batches, loss_and_grad=loss_and_grad,
        group="heavy-tailed",
    )  # fmt: skip


def of_kind(kind, problem):
    return problem._replace(kind=kind, group="heavy-tailed")


PROBLEMS = [
    outliers("outliers", 10, noise=0.5, batch=16),
    outliers("outliers-network", 8, 16, noise=0.3, batch=32),
    of_kind("heavy bowl", bowl("heavy-bowl", 10, 10, noise=0.3, degrees=DEGREES)),
    of_kind("heavy bowl", bowl("heavy-bowl-100", 20, 100, noise=0.1, degrees=DEGREES)),
    tilted("heavy-digits", classifier("light-digits", 16, batch=32), 0.01),
    tilted("heavy-embedding", embedding("light-words", 20, 8, 0.3, batch=32), 0.02),
]  # fmt: skip
