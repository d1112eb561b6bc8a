"""What is promised of every optimizer: it learns."""

from functools import cache
from typing import NamedTuple

import numpy as np
from helpers import KINDS, MORE, all_same, each_kind, fresh, same_bits
from scipy.optimize import rosen, rosen_der

from lrcore.data import digits
from lrcore.schedules import Constant, Cosine, Exponential, Schedule


class Trial(NamedTuple):
    """The highest learning rate on each problem, or its schedule."""

    quadratic: float | Schedule
    rosenbrock: float | Schedule
    digits: float | Schedule


STEPS = {"quadratic": 300, "rosenbrock": 5000, "digits": 100}


def lr_on(problem, lr):
    """Half a cosine over all steps; for the digits, after a warm-up."""
    if isinstance(lr, Schedule):
        return lr
    if problem == "digits":
        return Cosine(lr, total=STEPS["digits"]).warmup(STEPS["digits"] // 10)
    return Cosine(lr, total=STEPS[problem])


# Until its second moment can be trusted, RAdam steps by the gradient: 232 at first.
RISING = Cosine(0.5, total=STEPS["rosenbrock"]).warmup(STEPS["rosenbrock"] // 10)

TABLE = {
    "AdaBelief": Trial(0.6, 0.25, 0.6),
    "Adadelta": Trial(15.0, 0.6, 45.0),
    "Adafactor": Trial(0.5, 0.03, 2.0),
    # Its sum of squares makes steps small enough.
    "Adagrad": Trial(2.5, Constant(0.8), 2.5),
    "Adam": Trial(0.6, 0.25, 0.8),
    "Adamax": Trial(0.6, 0.8, 0.65),
    "AdamHD": Trial(0.6, 0.25, 0.8),
    "AdamW": Trial(0.6, 0.25, 0.8),
    "AdamWScheduleFree": Trial(Constant(0.6), Constant(0.03), Constant(0.5)),
    "Adan": Trial(3.0, 0.02, 0.2),
    "AdEMAMix": Trial(0.6, 0.2, 0.65),
    "ADOPT": Trial(0.6, 1.5, 0.8),
    "ASGD": Trial(0.1, Constant(0.0018), 15.0),
    # Their rates follow from the distance gone, or to go; lr is a factor.
    "DAdaptAdam": Trial(1.0, 0.2, Constant(0.5)),
    "DAdaptSGD": Trial(0.5, Constant(0.22), 1.5),
    "DoG": Trial(1.5, Constant(0.5), 2.0),
    "DoWG": Trial(1.0, 0.4, 1.0),
    # It makes p anew from sums of all gradients, whose lr has to be the same.
    "FTRL": Trial(Constant(5.0), Constant(0.65), Constant(18.0)),
    "LAMB": Trial(0.15, 0.015, 0.3),
    "LaProp": Trial(0.5, 0.2, 0.8),
    "LARS": Trial(4.0, 4.0, 30.0),
    "LDoG": Trial(1.5, Constant(0.5), 2.0),
    "Lion": Trial(0.07, 0.003, 0.15),
    "MADGRAD": Trial(0.3, 0.02, 12.0),
    "Muon": Trial(0.15, 0.01, 0.25),
    "NAdam": Trial(0.25, 0.035, 0.8),
    "NAdamW": Trial(0.25, 0.035, 0.8),
    "NovoGrad": Trial(0.3, 0.01, 0.5),
    "Prodigy": Trial(1.0, 0.1, 1.0),
    "RAdam": Trial(0.25, RISING, 2.0),
    "RAdamW": Trial(0.25, RISING, 2.0),
    "RMSprop": Trial(0.2, 0.0075, 0.25),
    "Rprop": Trial(0.01, 0.01, 0.002),
    "SGD": Trial(0.1, 0.002, 5.0),
    "SGDHD": Trial(0.15, Constant(0.0018), 12.0),
    "SGDScheduleFree": Trial(Constant(0.6), Constant(0.001), Constant(15.0)),
    "SGDW": Trial(0.1, 0.002, 1.5),
    "SignSGD": Trial(0.04, Exponential(0.0034, gamma=0.99908), 0.035),
    "Signum": Trial(0.03, 0.003, 0.15),
    "SM3": Trial(2.5, Constant(0.8), 3.0),
    "SPS": Trial(1.0, 1.0, 5.0),
    "Yogi": Trial(0.6, 0.25, 0.8),
}


def test_every_class_is_in_the_table():
    assert list(TABLE) == list(KINDS)


def optimizer(name, problem, params, **more):
    lr = lr_on(problem, getattr(TABLE[name], problem))
    return KINDS[name](params, lr=lr, **MORE.get(name, {}), **more)


@each_kind
def test_it_finds_the_minimum_of_a_quadratic(name):
    """Half the sum of h (p - best)^2, with h from 1 to 10: to a millionth, in 300."""
    rng = np.random.default_rng(0)
    h = [np.geomspace(1, 10, 12).reshape(4, 3), np.geomspace(10, 1, 5)]
    best = [rng.choice([-1, 1], c.shape) * rng.uniform(0.5, 2, c.shape) for c in h]
    params = [np.ones((4, 3)), np.ones(5)]

    def gradients():
        return [c * (p - b) for c, p, b in zip(h, params, best, strict=True)]

    def loss():
        return sum((g * g / c).sum() / 2 for g, c in zip(gradients(), h, strict=True))

    first = loss()
    opt = optimizer(name, "quadratic", params, weight_decay=0.0)
    for _ in range(STEPS["quadratic"]):
        opt.step(gradients())
    assert loss() < 1e-6 * first


@each_kind
def test_it_goes_through_rosenbrocks_valley(name):
    """From (-1.2, 1), at 24, to below 0.001: at most 0.08 from the end, (1, 1)."""
    p = np.array([[-1.2, 1.0]])  # a matrix, as Muon is for
    opt = optimizer(name, "rosenbrock", p, weight_decay=0.0)
    for _ in range(STEPS["rosenbrock"]):
        opt.step(rosen_der(p[0])[None])
    assert rosen(p[0]) < 1e-3


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


@each_kind
def test_it_learns_digits_by_logistic_regression(name):
    """100 full batches, in float32, with the class's own weight decay."""
    x, y, unseen, unseen_labels = held_out_digits()
    rows = np.arange(len(y))
    rng = np.random.default_rng(1)  # not 0, as LARS and LAMB go by norms
    params = {
        "W": rng.normal(0, 0.01, (64, 10)).astype(np.float32),
        "b": np.full(10, 0.01, np.float32),
    }
    opt = optimizer(name, "digits", params)
    for _ in range(STEPS["digits"]):
        d_logits = np.exp(log_softmax(x @ params["W"] + params["b"]))
        d_logits[rows, y] -= 1
        d_logits /= np.float32(len(y))
        opt.step({"W": x.T @ d_logits, "b": d_logits.sum(axis=0)})
    loss = -log_softmax(x @ params["W"] + params["b"])[rows, y].mean()
    found = (unseen @ params["W"] + params["b"]).argmax(axis=1)
    assert loss < 0.2  # log(10) = 2.3 at first
    assert (found == unseen_labels).mean() >= 0.95


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
