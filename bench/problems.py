"""Small problems to train on: networks, linear models, valleys, bowls.

A problem's data are fixed; a seed draws its initial params and the order of its
batches.  Functions compute in the precision of the params, so that gradients can be
checked in float64.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise, repeat
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from lrcore.data import digits


class Problem(NamedTuple):
    """A problem to train on.

    name : unique.
    kind : its family; each family is in both halves of the runs.
    steps : the number of training steps.
    params : (generator) -> new arrays.
    batches : (generator) -> endless iterator of batches.
    loss_and_grad : (params, batch) -> the loss, and gradients in the params' structure.
    full_loss : (params) -> the loss on all data, without noise.
    """

    name: str
    kind: str
    steps: int
    params: Callable[[np.random.Generator], Any]
    batches: Callable[[np.random.Generator], Iterator[Any]]
    loss_and_grad: Callable[[Any, Any], tuple[float, Any]]
    full_loss: Callable[[Any], float]


def generator(name):
    """Return the random generator of a problem's data."""
    return np.random.default_rng(crc32(name.encode()))


def supervised(name, kind, model, params, x, y, batch=None, steps=300):
    """Return a problem of a model on data; batch=None: each batch is all data."""
    data = x, y

    def batches(rng):
        if batch is None:
            yield from repeat(data)
        while True:
            order = rng.permutation(len(x))
            for start in range(0, len(x) - batch + 1, batch):
                rows = order[start : start + batch]
                yield x[rows], y[rows]

    def full_loss(p):
        return model(p, data)[0]

    return Problem(name, kind, steps, params, batches, model, full_loss)


# --- layers ---------------------------------------------------------------------------


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


def logistic(z, y):
    """Return the mean cross-entropy of a column of labels 0 and 1, likewise."""
    loss = np.logaddexp(0, z) - y * z
    return float(loss.sum()) / len(z), (0.5 + 0.5 * np.tanh(z / 2) - y) / len(z)


def relu(z):
    return np.maximum(z, 0)


ACTIVATIONS = {
    "relu": (relu, lambda a: a > 0),
    "tanh": (np.tanh, lambda a: 1 - a * a),
}


def network(error, activation="relu"):
    """Return loss_and_grad of layers W1, b1, W2, b2, ...; one layer: a linear model."""
    f, slope = ACTIVATIONS[activation]

    def loss_and_grad(params, batch):
        a, y = batch
        inputs = []
        layers = range(0, len(params), 2)
        for i in layers:
            inputs.append(a)
            z = a @ params[i] + params[i + 1]
            a = f(z) if i + 2 < len(params) else z
        loss, d = error(a, y)
        grads = [None] * len(params)
        for i in reversed(layers):
            a = inputs.pop()
            grads[i], grads[i + 1] = a.T @ d, d.sum(axis=0)
            if i:
                d = (d @ params[i].T) * slope(a)
        return loss, grads

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

# --- data -----------------------------------------------------------------------------


def images(count=1797, scale=1 / 16):
    x, labels = digits()
    x = x.reshape(len(x), -1) * np.float32(scale)
    return x[:count], labels[:count].astype(int)


def table(rng, rows, columns, condition=1.0, dtype=np.float32):
    """Return correlated normal features whose covariance has this condition number."""
    scales = np.geomspace(1, condition**-0.5, columns)
    turn = np.linalg.qr(rng.normal(size=(columns, columns)))[0]
    return (rng.normal(size=(rows, columns)) * scales @ turn).astype(dtype)


def line(name, features, condition, noise, error=squared, scale=1.0, **more):
    """Linear regression; y depends equally on each singular vector of the features."""
    rng = generator(name)
    x = table(rng, 400, features, condition)
    u = np.linalg.svd(x.astype(float), full_matrices=False)[0]
    y = u @ rng.normal(size=(features, 1)) * (len(x) / features) ** 0.5
    y = (y + noise * rng.normal(size=y.shape)).astype(np.float32)
    start = layers(features, 1, gain=0.1)
    x *= np.float32(scale)
    return supervised(name, "linear", network(error), start, x, y, **more)


def classes(name, features, condition, noise, scale=1.0, **more):
    """Two classes, separated by a plane; a share `noise` of the labels is random."""
    rng = generator(name)
    x = table(rng, 400, features, condition)
    w = np.linalg.lstsq(x, rng.normal(size=(len(x), 1)), rcond=None)[0]
    y = x @ w > 0
    y = np.where(rng.random(y.shape) < noise, rng.random(y.shape) < 0.5, y)
    y = y.astype(np.float32)
    x *= np.float32(scale)
    start = layers(features, 1, gain=0.1)
    return supervised(name, "logistic", network(logistic), start, x, y, **more)


def softmaxes(name, scale=1 / 16, gain=0.1, **more):
    """The digits, with a linear model."""
    start = layers(64, 10, gain=gain)
    data = images(scale=scale)
    return supervised(name, "logistic", network(softmax), start, *data, **more)


def classifier(name, *hidden, activation="relu", gain=1.0, count=1797, **more):
    model = network(softmax, activation)
    start = layers(64, *hidden, 10, gain=gain)
    return supervised(name, "classifier", model, start, *images(count), **more)


def wave(name, *hidden, activation="tanh", gain=1.0, error=squared, **more):
    """A noisy sine of one variable."""
    rng = generator(name)
    x = rng.uniform(-2, 2, (256, 1))
    y = np.sin(3 * x) + 0.1 * rng.normal(size=x.shape)
    start = layers(1, *hidden, 1, gain=gain, last=QUIET, dtype=np.float64)
    model = network(error, activation)
    return supervised(name, "regressor", model, start, x, y, **more)


def friedman(name, *hidden, activation="relu", gain=1.0, scale=1.0, **more):
    """The function of Friedman 1991 of 5 of 10 variables, standardized and scaled."""
    rng = generator(name)
    x = rng.random((512, 10))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    y = (y + 10 * x[:, 3] + 5 * x[:, 4] + rng.normal(size=len(x)))[:, None]
    y = scale * (y - y.mean()) / y.std()
    x, y = (2 * x - 1).astype(np.float32), y.astype(np.float32)
    start = layers(10, *hidden, 1, gain=gain, last=QUIET)
    model = network(squared, activation)
    return supervised(name, "regressor", model, start, x, y, **more)


def autoencoder(name, *hidden, activation="relu", gain=1.0, **more):
    x, _ = images(600)
    x = x - x.mean(axis=0)
    start = layers(64, *hidden, 64, gain=gain, last=QUIET)
    model = network(squared, activation)
    return supervised(name, "autoencoder", model, start, x, x, **more)


# --- other networks and models --------------------------------------------------------


def recurrent(name, hidden, gain, rows=8, **more):
    """The digits, read row by row by a recurrent tanh network (Elman 1990)."""

    def params(rng):
        sizes = {"W": (8, hidden), "U": (hidden, hidden), "V": (hidden, 10)}
        p = {k: rng.normal(0, gain * s[0] ** -0.5, s) for k, s in sizes.items()}
        p |= {"b": np.zeros(hidden), "c": np.zeros(10)}
        return {k: a.astype(np.float32) for k, a in p.items()}

    def loss_and_grad(p, batch):
        x, y = batch
        h = [np.zeros((len(x), hidden), p["U"].dtype)]
        inputs = x @ p["W"] + p["b"]
        for t in range(rows):
            h.append(np.tanh(inputs[:, t] + h[-1] @ p["U"]))
        loss, d = softmax(h[-1] @ p["V"] + p["c"], y)
        grads = {"V": h[-1].T @ d, "c": d.sum(axis=0)}
        dh, dz = d @ p["V"].T, np.empty_like(inputs)
        for t in reversed(range(rows)):
            dz[:, t] = dh * (1 - h[t + 1] * h[t + 1])
            dh = dz[:, t] @ p["U"].T
        flat = dz.reshape(-1, hidden)
        grads["W"] = x.reshape(-1, 8).T @ flat
        grads["U"] = np.stack(h[:-1], axis=1).reshape(-1, hidden).T @ flat
        grads["b"] = flat.sum(axis=0)
        return loss, grads

    x, y = images(600)
    x = x.reshape(-1, 8, 8)[:, :rows]
    return supervised(name, "recurrent", loss_and_grad, params, x, y, **more)


def embedding(name, words, size, gain, **more):
    """The next word of a Markov chain, predicted from the vectors of the last two."""
    rng = generator(name)
    chain = rng.dirichlet(np.full(words, 0.1), size=words)
    text = [0]
    for _ in range(1000):
        text.append(rng.choice(words, p=chain[text[-1]]))
    text = np.array(text)
    x, y = np.stack([text[1:-1], text[:-2]], axis=1), text[2:]

    def params(rng):
        shapes = {"vectors": (words, size), "mix": (2 * size, words)}
        return {k: rng.normal(0, gain, s).astype("f4") for k, s in shapes.items()}

    def loss_and_grad(p, batch):
        x, y = batch
        a = p["vectors"][x].reshape(len(x), -1)
        loss, d = softmax(a @ p["mix"], y)
        vectors = np.zeros_like(p["vectors"])
        np.add.at(vectors, x, (d @ p["mix"].T).reshape(*x.shape, -1))
        return loss, {"vectors": vectors, "mix": a.T @ d}

    return supervised(name, "embedding", loss_and_grad, params, x, y, **more)


def factors(name, shape, rank, gain, noise=0.0, **more):
    """A matrix as a product of two thin ones, fitted to its entries."""
    rng = generator(name)
    m, n = shape
    target = rng.normal(size=(m, rank)) @ rng.normal(size=(rank, n)) / rank**0.5
    target += noise * rng.normal(size=shape)
    where = np.stack(np.indices(shape), axis=-1).reshape(-1, 2)

    def params(rng):
        return [gain * rng.normal(size=(k, rank)) for k in shape]

    def loss_and_grad(p, batch):
        (i, j), y = batch[0].T, batch[1]
        u, v = p[0][i], p[1][j]
        error = (u * v).sum(axis=1) - y
        grads = [np.zeros_like(a) for a in p]
        scaled = error[:, None] / len(y)
        np.add.at(grads[0], i, scaled * v)
        np.add.at(grads[1], j, scaled * u)
        return 0.5 * float(error @ error) / len(y), grads

    y = target.ravel()
    return supervised(name, "factors", loss_and_grad, params, where, y, **more)


# --- functions ------------------------------------------------------------------------


def function(name, kind, loss_and_grad, params, size, noise=0.0, steps=300):
    """A function whose minimum each batch shifts by noise, in each coordinate."""

    def batches(rng):
        while True:
            yield noise * rng.normal(size=size) if noise else 0.0

    def at(p, shift):
        return loss_and_grad(p - shift)

    def full_loss(p):
        return loss_and_grad(p)[0]

    return Problem(name, kind, steps, params, batches, at, full_loss)


def bowl(name, size, condition, steepest=1.0, **more):
    """A rotated quadratic; each axis has the same share of the initial loss."""
    rng = generator(name)
    turn = np.linalg.qr(rng.normal(size=(size, size)))[0]
    lowest = rng.normal(size=size)  # not at 0, which weight decay would find
    curvatures = steepest * np.geomspace(1, 1 / condition, size)
    hessian = turn * curvatures @ turn.T

    def loss_and_grad(p):
        g = hessian @ (p - lowest)
        return 0.5 * float((p - lowest) @ g), g

    def params(rng):
        away = rng.normal(size=size) * (steepest / curvatures) ** 0.5
        return lowest + turn @ away

    return function(name, "bowl", loss_and_grad, params, size, **more)


def rosenbrock(name, start, **more):
    """The valley of Rosenbrock 1960, beginning near a point on its floor."""
    start = np.array(start)
    origin = generator(name).normal(size=start.size)

    def loss_and_grad(p):
        p = p - origin
        x, y = p[:-1], p[1:]
        across, along = y - x * x, 1 - x
        g = np.zeros_like(p)
        g[:-1] = -400 * x * across - 2 * along
        g[1:] += 200 * across
        return float(100 * across @ across + along @ along), g

    def params(rng):
        return origin + start + 0.03 * rng.normal(size=start.size)

    return function(name, "valley", loss_and_grad, params, start.size, **more)


PROBLEMS = [
    bowl("bowl-1", 10, 1),
    bowl("bowl-10", 20, 10),
    bowl("bowl-100", 20, 100),
    bowl("bowl-1000", 10, 1e3, steps=500),
    bowl("bowl-10000", 30, 1e4, steps=600),
    bowl("bowl-steep", 10, 30, steepest=1e3),
    bowl("bowl-noisy", 10, 10, noise=0.3),
    bowl("bowl-noisy-1000", 20, 1e3, steepest=30.0, noise=0.3, steps=500),
    rosenbrock("valley-2", [-1.2, 1.44], steps=600),
    rosenbrock("valley-10", [0.0] * 10, steps=600),
    rosenbrock("valley-4-noisy", [0.0] * 4, noise=0.03, steps=600),
    rosenbrock("valley-10-noisy", [0.0] * 10, noise=0.03, steps=600),
    line("linear-well", 10, 1, 0.3, batch=32),
    line("linear-100", 10, 100, 0.3, batch=32),
    line("linear-1000", 20, 1e3, 0.1, steps=500),
    line("linear-noisy", 20, 10, 2.0, batch=8),
    line("linear-large", 10, 10, 0.3, scale=20.0, batch=64),
    line("linear-absolute", 10, 10, 0.3, error=absolute, batch=32),
    classes("logistic-well", 10, 1, 0.1, batch=32),
    classes("logistic-1000", 10, 1e3, 0.1, scale=3.0),
    classes("logistic-noisy", 20, 10, 0.4, batch=16, scale=2.0),
    softmaxes("softmax-8", batch=8),
    softmaxes("softmax-256", batch=256),
    softmaxes("softmax-raw", scale=1.0, gain=0.03, batch=32),
    classifier("digits-32", 32, batch=32),
    classifier("digits-64-tanh", 64, activation="tanh", batch=64),
    classifier("digits-8", 16, batch=8),
    classifier("digits-256", 24, batch=256),
    classifier("digits-deep", 32, 32, 32, batch=32),
    classifier("digits-deep-tanh", 24, 24, 24, activation="tanh", batch=16),
    classifier("digits-small-start", 32, 32, gain=0.3, batch=32),
    classifier("digits-large-start", 32, 32, gain=1.5, batch=32),
    classifier("digits-large-start-tanh", 32, gain=3.0, activation="tanh", batch=32),
    classifier("digits-few", 32, count=100, batch=10),
    classifier("digits-narrow", 4, batch=32),
    classifier("digits-whole", 16, count=200),
    wave("wave", 16, batch=32, steps=400),
    wave("wave-deep", 16, 16, batch=32, steps=400),
    wave("wave-relu", 32, activation="relu", batch=64, steps=400),
    wave("wave-absolute", 16, error=absolute, batch=16, steps=400),
    friedman("friedman", 32, batch=32),
    friedman("friedman-deep", 16, 16, 16, batch=32),
    friedman("friedman-tanh", 24, activation="tanh", batch=16),
    friedman("friedman-large", 24, scale=10.0, batch=64),
    autoencoder("autoencoder", 16, batch=32),
    autoencoder("autoencoder-deep-tanh", 24, 8, 24, activation="tanh", batch=32),
    recurrent("recurrent", 16, 1.0, batch=16),
    recurrent("recurrent-large-start", 16, 1.6, rows=5, batch=16),
    embedding("embedding", 30, 8, 0.3, batch=32),
    embedding("embedding-small-start", 20, 4, 0.05, batch=64),
    factors("factors", (12, 10), 3, 0.5),
    factors("factors-small-start", (12, 10), 2, 0.05, steps=500),
    factors("factors-noisy", (20, 20), 3, 0.5, noise=0.5, batch=32, steps=400),
    factors("factors-entries", (20, 20), 3, 0.3, batch=16, steps=500),
]


def by_name(name):
    """Return the problem with this name."""
    for problem in PROBLEMS:
        if problem.name == name:
            return problem
    raise ValueError(f"name: expected a problem's, found {name!r}")
