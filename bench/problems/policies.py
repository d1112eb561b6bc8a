"""Policies that are learnt by REINFORCE (Williams 1992), with a mean as baseline.

The loss of a batch is -mean(advantage log pi(action)); actions and advantages are those
of the params held.  So its value tells nothing; the return does, of which `full_loss`
is minus the expectation.
"""

import numpy as np

from .base import Problem, generator
from .layers import layers

STRETCH = 10.0


def shares(z):
    """Return the softmax of the last axis."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def chosen(sums, uniform):
    """Return the action of each row, at which the sum of shares exceeds `uniform`."""
    return (sums[:, :-1] < uniform[:, None]).sum(axis=1)


def policy(name, kind, steps, params, batches, act, score, loss, full_loss):
    """Return the problem of a policy.

    act : (params, batch) -> rows, actions and advantages, of episodes by these params.
    score : (params, rows) -> the shares of actions, and (derivatives) -> gradients.
    """

    def value(p, rows, actions, advantages):
        p, back = score(p, rows)
        at = np.arange(len(actions))
        logs = np.log(p[at, actions])
        return -float(advantages @ logs) / loss, p, back, at

    def surrogate(p, batch, held):
        return value(p, *act(held, batch))[0]

    def loss_and_grad(p, batch):
        rows, actions, advantages = act(p, batch)
        found, share, back, at = value(p, rows, actions, advantages)
        d = share * advantages[:, None]
        d[at, actions] -= advantages
        return found, back(d / loss)

    return Problem(
        name, kind, steps, params, batches, loss_and_grad, full_loss,
        group="without a meaning", loss="policy", surrogate=surrogate,
    )  # fmt: skip


def bandit(name, features, arms, batch, noise=0.5):
    """A bandit whose arms pay by the context; the policy is a linear softmax."""
    rng = generator(name)
    contexts = np.hstack([rng.normal(size=(300, features)), np.ones((300, 1))])
    pays = np.tanh(contexts @ rng.normal(size=(features + 1, arms)))
    start = layers(features + 1, arms, gain=0.1, dtype=np.float64)

    def params(rng):
        return start(rng)[:1]

    def batches(rng):
        while True:
            rows = rng.integers(len(contexts), size=batch)
            yield rows, rng.random(batch), noise * rng.normal(size=batch)

    def score(p, rows):
        x = contexts[rows]
        return shares(x @ p[0]), lambda d: [x.T @ d]

    def act(p, batch):
        rows, uniform, noise = batch
        actions = chosen(score(p, rows)[0].cumsum(axis=1), uniform)
        reward = pays[rows, actions] + noise
        return rows, actions, reward - reward.mean()

    def full_loss(p):
        return -float((shares(contexts @ p[0]) * pays).sum()) / len(contexts)

    return policy(name, "bandit", 400, params, batches, act, score, batch, full_loss)


def grid(name, side, batch, length=16):
    """A walk from a corner of a grid to the other one, for a reward of 1.

    A step costs 0.02, and one of ten slips: it goes another way.  Logits are STRETCH
    times the params, so that rates are not larger than elsewhere.
    """
    cells, goal = side * side, side * side - 1
    y, x = np.divmod(np.arange(cells), side)
    ahead = np.stack([
        np.where(y, np.arange(cells) - side, np.arange(cells)),
        np.where(y < side - 1, np.arange(cells) + side, np.arange(cells)),
        np.where(x, np.arange(cells) - 1, np.arange(cells)),
        np.where(x < side - 1, np.arange(cells) + 1, np.arange(cells)),
    ], axis=1)  # fmt: skip
    ahead[goal] = goal
    slip = 0.1

    def params(rng):
        return [0.1 / STRETCH * rng.normal(size=(cells, 4))]

    def batches(rng):
        while True:
            choice, slips = rng.random((2, length, batch))
            yield choice, slips, rng.integers(4, size=(length, batch))

    def score(p, rows):
        def back(d):
            return [STRETCH * (np.eye(cells)[rows].T @ d)]

        return shares(STRETCH * p[0])[rows], back

    def act(p, batch):
        choice, slips, ways = batch
        sums = shares(STRETCH * p[0]).cumsum(axis=1)
        at = np.zeros(choice.shape[1], int)
        states, actions, rewards = [], [], []
        for t in range(length):
            action = chosen(sums[at], choice[t])
            states.append(at)
            actions.append(action)
            at = ahead[at, np.where(slips[t] < slip, ways[t], action)]
        states = np.array(states)
        there = states == goal
        rewards = (np.vstack([there[1:], at == goal]) - 0.02) * ~there
        returns = rewards[::-1].cumsum(axis=0)[::-1]
        returns = (returns - returns.mean(axis=1, keepdims=True)) * ~there
        return states.ravel(), np.concatenate(actions), returns.ravel()

    def full_loss(p):
        share = (1 - slip) * shares(STRETCH * p[0]) + slip / 4
        value = np.zeros(cells)
        for _ in range(length):
            q = (ahead == goal) - 0.02 + value[ahead]
            value = (share * q).sum(axis=1)
            value[goal] = 0
        return -float(value[0])

    return policy(name, "grid", 300, params, batches, act, score, batch, full_loss)


PROBLEMS = [
    bandit("bandit", 5, 4, 32),
    grid("grid", 3, 16, length=10),
    bandit("bandit-noisy", 8, 6, 16, noise=2.0),
    grid("grid-larger", 4, 32),
]
