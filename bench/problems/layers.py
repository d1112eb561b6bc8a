"""Errors, layers and data that the problems are made of.

Data are drawn by `generator` of base.py; the order of the draws is part of a problem.
"""

from itertools import pairwise

import numpy as np

from lrcore.data import digits


def squared(z, y):
    """Return half the mean squared error of a row, and its derivative."""
    error = z - y
    return 0.5 * float((error * error).sum()) / len(z), error / len(z)


def absolute(z, y):
    """Return the mean absolute error (its gradient never becomes small), likewise."""
    error = z - y
    return float(np.abs(error).sum()) / len(z), np.sign(error) / len(z)


def softmax(z, y):
    """Return the mean cross-entropy of labels from 0, likewise."""
    rows = np.arange(len(z))
    z = z - z.max(axis=1, keepdims=True)
    e = np.exp(z)
    total = e.sum(axis=1, keepdims=True)
    loss = float((np.log(total[:, 0]) - z[rows, y]).sum()) / len(z)
    e /= total
    e[rows, y] -= 1
    return loss, e / len(z)


def sigmoid(z):
    return 0.5 + 0.5 * np.tanh(z / 2)


def logistic(z, y):
    """Return the mean cross-entropy of a column of labels 0 and 1, likewise."""
    loss = np.logaddexp(0, z) - y * z
    return float(loss.sum()) / len(z), (sigmoid(z) - y) / len(z)


def relu(z):
    return np.maximum(z, 0)


ACTIVATIONS = {
    "relu": (relu, lambda a: a > 0),
    "tanh": (np.tanh, lambda a: 1 - a * a),
}


def forward(params, x, activation="relu"):
    """Return the output of layers W1, b1, W2, b2, ..., and the input of each."""
    f, _ = ACTIVATIONS[activation]
    inputs = []
    for i in range(0, len(params), 2):
        inputs.append(x)
        z = x @ params[i] + params[i + 1]
        x = f(z) if i + 2 < len(params) else z
    return x, inputs


def backward(params, inputs, d, activation="relu", *, through=False):
    """Return the gradients of the layers; d: the derivative by their output.

    through=True: also return the derivative by their input.
    """
    _, slope = ACTIVATIONS[activation]
    grads = [None] * len(params)
    for i in reversed(range(0, len(params), 2)):
        a = inputs[i // 2]
        grads[i], grads[i + 1] = a.T @ d, d.sum(axis=0)
        if i:
            d = (d @ params[i].T) * slope(a)
    return (grads, d @ params[0].T) if through else grads


def network(error, activation="relu"):
    """Return loss_and_grad of layers W1, b1, W2, b2, ...; one layer: a linear model."""

    def loss_and_grad(params, batch):
        x, y = batch
        z, inputs = forward(params, x, activation)
        loss, d = error(z, y)
        return loss, backward(params, inputs, d, activation)

    return loss_and_grad


def layers(*sizes, gain=1.0, last=1.0, dtype=np.float32):
    """Return a function that draws weights (He et al. 2015, scaled) and zero biases."""

    def params(rng):
        drawn = []
        for m, n in pairwise(sizes):
            drawn += [rng.normal(0, gain * (2 / m) ** 0.5, (m, n)), np.zeros(n)]
        drawn[-2] *= last
        return [p.astype(dtype) for p in drawn]

    return params


QUIET = 0.2
"""A small gain of the last layer.  With a large one, most of the training would go into
undoing the random initial output."""


def images(count=1797, scale=1 / 16):
    x, labels = digits()
    x = x.reshape(len(x), -1) * np.float32(scale)
    return x[:count], labels[:count].astype(int)


def table(rng, rows, columns, condition=1.0, dtype=np.float32):
    """Return correlated normal features whose covariance has this condition number."""
    scales = np.geomspace(1, condition**-0.5, columns)
    turn = np.linalg.qr(rng.normal(size=(columns, columns)))[0]
    return (rng.normal(size=(rows, columns)) * scales @ turn).astype(dtype)


def friedman_1991(x, wave=10.0, slope=10.0):
    """Return a function of 5 of 10 variables in [0, 1], without its noise.

    wave * sin(pi x_0 x_1) + 20 (x_2 - 0.5)^2 + slope * x_3 + 5 x_4; Friedman 1991 has
    10 for wave and slope.
    """
    y = wave * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    return y + slope * x[:, 3] + 5 * x[:, 4]


def chain_of_words(rng, words, concentration, length):
    """Return words from 0 that a Markov chain draws, the first being 0.

    Each word's successors have shares of Dirichlet's distribution.
    """
    shares = rng.dirichlet(np.full(words, concentration), size=words)
    text = [0]
    for _ in range(length):
        text.append(rng.choice(words, p=shares[text[-1]]))
    return np.array(text)
