"""What is promised of every optimizer: it learns, at some learning rate.

Which rates are good depends on the optimizer and on the problem.  So a few rates of
each decade are tried: with a warm-up and half a cosine, and constant, as some need it
(FTRL makes the params anew from all gradients).
"""

from functools import cache
from math import log

import numpy as np
import pytest
from helpers import KINDS, MORE, all_same, each_kind, fresh, same_bits

from lrcore.data import digits
from lrcore.schedules import Constant, Cosine

pytestmark = pytest.mark.isa

RATES = [digit * 10.0**power for power in range(-3, 2) for digit in (1, 2, 5)]
RATES.sort(key=lambda lr: abs(log(lr)))  # the nearest to 1 come first


def schedules(steps):
    for lr in RATES:
        yield Cosine(lr, total=steps - steps // 10).warmup(steps // 10)
        yield Constant(lr)


def learns(solves, name, steps, **more):
    """Return whether the optimizer solves a problem at one of the rates.

    solves : a function of a maker of optimizers, which takes params, and of the steps.
    """

    def optimizer_at(lr):
        return lambda params: KINDS[name](params, lr=lr, **MORE.get(name, {}), **more)

    return any(solves(optimizer_at(lr), steps) for lr in schedules(steps))


def minimises_a_quadratic(optimizer, steps):
    """Half the sum of h (p - best)^2, with h from 1 to 10: to a millionth."""
    rng = np.random.default_rng(0)
    h = [np.geomspace(1, 10, 12).reshape(4, 3), np.geomspace(10, 1, 5)]
    best = [rng.choice([-1, 1], c.shape) * rng.uniform(0.5, 2, c.shape) for c in h]
    params = [np.ones((4, 3)), np.ones(5)]

    def gradients():
        return [c * (p - b) for c, p, b in zip(h, params, best, strict=True)]

    def loss():
        return sum((g * g / c).sum() / 2 for g, c in zip(gradients(), h, strict=True))

    first, opt = loss(), optimizer(params)
    for _ in range(steps):
        opt.step(gradients())
    return loss() < 1e-6 * first


@each_kind
@np.errstate(over="ignore", invalid="ignore")  # high rates diverge
def test_it_finds_the_minimum_of_a_quadratic(name):
    assert learns(minimises_a_quadratic, name, 300, weight_decay=0.0)


def goes_through_rosenbrocks_valley(optimizer, steps):
    """From (-1.2, 1), at 24, and from one end of the valley, at 4, to below 0.05.

    That is at most 0.23 from x = 1, which is the other end.
    """
    p = np.array([[-1.2, 1.0]])  # a matrix, as Muon is for
    opt = optimizer(p)
    for _ in range(steps):
        x, y = p[0].tolist()
        up = 200 * (y - x * x)
        opt.step(np.array([[2 * (x - 1) - 2 * x * up, up]]))
    x, y = p[0]
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2 < 0.05


@each_kind
@np.errstate(over="ignore", invalid="ignore")
def test_it_goes_through_rosenbrocks_valley(name):
    assert learns(goes_through_rosenbrocks_valley, name, 3000, weight_decay=0.0)


@cache
def held_out_digits():
    """Images and labels of 1,437 digits to learn from, and of 360 others."""
    images, labels = digits()
    x = images.reshape(-1, 64) / np.float32(16)
    order = np.random.default_rng(0).permutation(len(x))
    train, rest = order[360:], order[:360]
    return x[train], labels[train], x[rest], labels[rest]


def log_softmax(logits):
    logits = logits - logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def reads_digits(optimizer, steps):
    """By logistic regression on full batches, in float32."""
    x, y, unseen, unseen_labels = held_out_digits()
    rows = np.arange(len(y))
    rng = np.random.default_rng(1)  # not 0, as LARS and LAMB go by norms
    params = {
        "W": rng.normal(0, 0.01, (64, 10)).astype(np.float32),
        "b": np.full(10, 0.01, np.float32),
    }
    opt = optimizer(params)
    for _ in range(steps):
        d_logits = np.exp(log_softmax(x @ params["W"] + params["b"]))
        d_logits[rows, y] -= 1
        d_logits /= np.float32(len(y))
        opt.step({"W": x.T @ d_logits, "b": d_logits.sum(axis=0)})
    loss = -log_softmax(x @ params["W"] + params["b"])[rows, y].mean()
    found = (unseen @ params["W"] + params["b"]).argmax(axis=1)
    # The loss is log(10) = 2.3 at first.
    return loss < 0.2 and (found == unseen_labels).mean() >= 0.95


@each_kind
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def test_it_learns_digits(name):
    """With the class's own weight decay."""
    assert learns(reads_digits, name, 100)


@each_kind
def test_ascending_minus_f_is_descending_f(name):
    """To the bit; the gradients follow from the params, so that no difference heals."""

    def gradients(params, sign):
        return [np.asarray(sign * (np.tanh(p) - 0.3)) for p in params]

    down, up, wrong = fresh(), fresh(), fresh()
    more = {**MORE.get(name, {}), "lr": 0.05, "weight_decay": 0.1, "l2": 0.01}
    one = KINDS[name](down, **more)
    two = KINDS[name](up, maximize=True, **more)
    three = KINDS[name](wrong, **more)
    for _ in range(6):
        one.step(gradients(down, 1))
        two.step(gradients(up, -1))
        three.step(gradients(wrong, -1))
    assert all_same(down, up)
    assert not any(same_bits(a, b) for a, b in zip(down, wrong, strict=True))
