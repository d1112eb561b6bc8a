"""A recurrent network, vectors of words, and a matrix as a product."""

import numpy as np

from .base import generator, supervised
from .layers import chain_of_words, images, softmax


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
    text = chain_of_words(rng, words, 0.1, 1000)
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


PROBLEMS = [
    recurrent("recurrent", 16, 1.0, batch=16),
    recurrent("recurrent-large-start", 16, 1.6, rows=5, batch=16),
    embedding("embedding", 30, 8, 0.3, batch=32),
    embedding("embedding-small-start", 20, 4, 0.05, batch=64),
    factors("factors", (12, 10), 3, 0.5),
    factors("factors-small-start", (12, 10), 2, 0.05, steps=500),
    factors("factors-noisy", (20, 20), 3, 0.5, noise=0.5, batch=32, steps=400),
    factors("factors-entries", (20, 20), 3, 0.3, batch=16, steps=500),
]
