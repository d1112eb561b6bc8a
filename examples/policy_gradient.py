"""Balance a pole with policy gradients, at a rate that `lr_find` finds from the return.

REINFORCE (Williams 1992) takes gradients of a loss whose value does not show how good
the policy is.  So `lr_find` is given a score, the mean return of a few fixed episodes.
The policy pushes a cart to the left or right, depending on the place and speed of the
cart and the angle and speed of the pole (Barto, Sutton & Anderson 1983).  An episode
ends when the pole falls, or after 100 steps.
"""

import argparse
from itertools import islice
from textwrap import fill

import numpy as np

import lrcore

EPISODES, LONGEST, UPDATES = 16, 100, 60


def moved(state, right):
    """Return the states of carts and poles 0.02 s later; right: where the push is."""
    speed, angle, turn = state[:, 1:].T
    sine, cosine = np.sin(angle), np.cos(angle)
    push = np.where(right, 10.0, -10.0)
    part = (push + 0.05 * turn**2 * sine) / 1.1  # the pole: 0.1 kg, half a metre
    faster = (9.8 * sine - cosine * part) / (0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1))
    change = [speed, part - 0.05 * faster * cosine / 1.1, turn, faster]
    return state + 0.02 * np.stack(change, axis=1)


def play(weights, start, chances):
    """Return the states by step, the pushes (1 or -1), and which poles are up."""
    state, up = start, np.ones(len(start), bool)
    steps = []
    for chance in chances:
        right = chance < 0.5 + 0.5 * np.tanh(state @ weights / 2)
        steps.append((state, np.where(right, 1.0, -1.0), up))
        state = np.where(up[:, None], moved(state, right), state)
        up = up & (abs(state[:, 0]) < 2.4) & (abs(state[:, 2]) < 0.21)
    return tuple(np.array(each) for each in zip(*steps, strict=True))


def mean_return(weights, episodes):
    """Return the mean number of steps until the pole falls."""
    return float(play(weights, *episodes)[2].sum(axis=0).mean())


def loss_and_grad(weights, episodes):
    """Return -mean(advantage log p(push)) and its gradient.

    The advantage of a push is the return to come over its mean at this step.
    """
    states, sign, up = play(weights, *episodes)
    to_come = up[::-1].cumsum(axis=0)[::-1]
    mean = to_come.sum(axis=1) / np.maximum(up.sum(axis=1), 1)
    advantage = up * (to_come - mean[:, None]) / LONGEST / up.sum()
    z = sign * (states @ weights)
    d = -advantage * sign * (0.5 - 0.5 * np.tanh(z / 2))
    return float((advantage * np.logaddexp(0, -z)).sum()), np.tensordot(d, states, 2)


def batches(rng):
    """Yield without end: starts, and the chances that decide the pushes."""
    while True:
        yield rng.uniform(-0.05, 0.05, (EPISODES, 4)), rng.random((LONGEST, EPISODES))


def train(lr, test):
    """Train by AdamW; print the returns on the way, and what the monitor finds."""
    weights = np.zeros(4)
    opt = lrcore.AdamW(weights, lr=lr, telemetry=True)
    monitor, returns = lrcore.Monitor(opt, kind="policy"), []
    for batch in islice(batches(np.random.default_rng(2)), UPDATES):
        returns.append(mean_return(weights, test))
        loss, grad = loss_and_grad(weights, batch)
        opt.step(grad)
        monitor.update(loss)
    returns = [*returns[:: UPDATES // 3], mean_return(weights, test)]
    print(f"\nlr {lr:.2g}: the pole falls after steps", np.round(returns, 1).tolist())
    for finding in monitor.diagnose():
        print(fill(str(finding), 79, initial_indent="  ", subsequent_indent="  "))


def main():
    """Find a rate by the return; train at the default rate, and at this one."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    weights, rng = np.zeros(4), np.random.default_rng(0)
    opt, test = lrcore.AdamW(weights), next(batches(np.random.default_rng(3)))
    found = lrcore.lr_find(
        opt,
        lambda batch: loss_and_grad(weights, batch),
        lambda: batches(rng),
        score=lambda: mean_return(weights, test),
        score_every=2,  # the training is short
        total=UPDATES,
        rng=rng,
    )
    print(fill(f"lr_find suggests {found.suggestion:.2g}: {found.reason}.", 79))
    train(opt.lr, test)
    train(found.suggestion, test)


if __name__ == "__main__":
    main()
