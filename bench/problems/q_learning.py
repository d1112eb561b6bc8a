"""The values of actions, learnt from remembered steps (Q-learning, Watkins 1989).

The loss is the mean square of q(s, a) - (r + discount max q(s', .)), in which the
second part is held: as it moves with the params, the loss tells little.  `full_loss`
has the true values in its place.
"""

import numpy as np

from .base import Problem, generator
from .layers import QUIET, backward, forward, layers

MEMORY = 1000


def chain(name, cells, discount, hidden, batch):
    """A walk along a chain, whose far end pays 1 and leads back; the near one 0.1.

    One of ten steps goes the other way.  The network sees a place as its nearness to
    every second one.  MEMORY steps are remembered.
    """
    rng = generator(name)
    place = np.arange(cells)
    ends = np.stack([np.maximum(place - 1, 0), (place + 1) % cells], axis=1)
    pays = np.zeros((cells, 2))
    pays[0, 0], pays[-1, 1] = 0.1, 1.0
    true = np.zeros((cells, 2))
    for _ in range(500):  # value iteration
        sure = pays + discount * true.max(axis=1)[ends]
        true = 0.9 * sure + 0.1 * sure[:, ::-1]
    bumps = np.exp(-0.5 * (place[:, None] - place[::2]) ** 2).astype(np.float32)
    start = layers(bumps.shape[1], hidden, 2, last=QUIET)

    at, action = rng.integers(cells, size=MEMORY), rng.integers(2, size=MEMORY)
    way = np.where(rng.random(MEMORY) < 0.1, 1 - action, action)
    steps_taken = at, action, pays[at, way].astype("f4"), ends[at, way]

    def batches(rng):
        while True:
            rows = rng.integers(MEMORY, size=batch)
            yield tuple(a[rows] for a in steps_taken)

    def errors(p, batch, held):
        at, action, reward, to = batch
        q, inputs = forward(p, bumps[at])
        ahead = forward(held, bumps[to])[0].max(axis=1)
        d = np.zeros_like(q)
        rows = np.arange(len(at))
        d[rows, action] = q[rows, action] - reward - discount * ahead
        return 0.5 * float((d * d).sum()) / len(at), d / len(at), inputs

    def loss_and_grad(p, batch):
        loss, d, inputs = errors(p, batch, p)
        return loss, backward(p, inputs, d)

    def surrogate(p, batch, held):
        return errors(p, batch, held)[0]

    def full_loss(p):
        return 0.5 * float(((forward(p, bumps)[0] - true) ** 2).mean())

    return Problem(
        name, "q-learning", 400, start, batches, loss_and_grad, full_loss,
        group="without a meaning", loss="policy", surrogate=surrogate,
    )  # fmt: skip


PROBLEMS = [
    chain("chain", 6, 0.8, 16, 32),
    chain("chain-longer", 10, 0.9, 24, 64),
]
