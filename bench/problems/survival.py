"""Survival times, some of them censored: Cox's partial likelihood (Cox 1972)."""

import numpy as np

from .base import generator, supervised
from .layers import layers, network, table


def partial(z, y):
    """Return minus the log partial likelihood an event, and its derivative.

    z : (n, 1), log hazards.
    y : (n, 2), times without ties, and 1 where the event was seen, 0 where censored.
    """
    order = np.argsort(-y[:, 0])
    z, seen = z[order, 0], y[order, 1]
    events = max(float(seen.sum()), 1.0)
    e = np.exp(z - z.max())
    at_risk = np.cumsum(e)
    loss = float((seen * (np.log(at_risk) + z.max() - z)).sum()) / events
    d = np.empty_like(z)
    d[order] = e * np.cumsum((seen / at_risk)[::-1])[::-1] - seen
    return loss, d[:, None] / events


def patients(name, *hidden, features=8, rows=400, effect=1.0, **more):
    """Exponential times, whose rates depend on the features."""
    rng = generator(name)
    x = table(rng, rows, features, 10)
    z = x @ rng.normal(size=(features, 1))[:, 0]
    time = rng.exponential(np.exp(-effect * (np.sin(z) if hidden else z)))
    censored = rng.exponential(2.0, rows)
    y = np.stack([np.minimum(time, censored), time <= censored], axis=1)
    start = layers(features, *hidden, 1, gain=1.0 if hidden else 0.1, last=0.2)
    model = network(partial, "tanh")
    return supervised(name, "survival", model, start, x, y.astype("f4"), **more)


PROBLEMS = [
    patients("survival", batch=64),
    patients("survival-network", 16, batch=128, effect=2.0),
    patients("survival-whole", rows=150, features=20),
]
