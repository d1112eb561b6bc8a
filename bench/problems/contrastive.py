"""Vectors learnt from pairs: InfoNCE of images, and word2vec."""

from itertools import islice

import numpy as np

from .base import Problem, generator
from .layers import backward, chain_of_words, forward, images, layers, sigmoid, softmax


def unit(z):
    """Return rows of length 1, and the function from their derivative to z's."""
    scale = 1 / np.sqrt((z * z).sum(axis=1, keepdims=True) + 1e-6)
    u = z * scale

    def back(d):
        return scale * (d - u * (d * u).sum(axis=1, keepdims=True))

    return u, back


def views(name, hidden, size, batch, temperature=None):
    """Find an image's other view among those of a batch (van den Oord et al. 2018).

    temperature : of the cosines; None: the logits are inner products.
    """
    x, _ = images(600)
    x = 2 * (x - x.mean(axis=0))
    start = layers(64, hidden, size)
    scale = np.float32(temperature or size**0.5)

    def batches(rng):
        while True:
            rows = rng.choice(len(x), batch, False)
            both = x[rows] + 0.3 * rng.normal(size=(2, batch, 64))
            yield both.astype(np.float32)

    def loss_and_grad(p, both):
        n = both.shape[1]
        z, inputs = forward(p, both.reshape(2 * n, 64))
        u, back = unit(z) if temperature else (z, lambda d: d)
        one, two = u[:n], u[n:]
        loss, d = softmax(one @ two.T / scale, np.arange(n))
        d = np.concatenate([d @ two, d.T @ one]) / scale
        return loss, backward(p, inputs, back(d))

    all_data = list(islice(batches(generator(name)), 10))

    def full_loss(p):
        return float(np.mean([loss_and_grad(p, both)[0] for both in all_data]))

    return Problem(name, "contrastive", 300, start, batches, loss_and_grad, full_loss)


def word2vec(name, words, size, negatives, batch):
    """Skip-grams with negative sampling (Mikolov et al. 2013) of a Markov chain."""
    rng = generator(name)
    text = chain_of_words(rng, words, 0.05, 2000)
    often = (1 + np.bincount(text, minlength=words)) ** 0.75
    often /= often.sum()

    def drawn(rng, at):
        near = text[at + rng.choice([-2, -1, 1, 2], len(at))]
        others = rng.choice(words, (len(at), negatives), p=often)
        return text[at], np.concatenate([near[:, None], others], axis=1)

    def params(rng):
        both = rng.uniform(-0.5, 0.5, (2, words, size)) / size
        return list(both.astype(np.float32))

    def batches(rng):
        while True:
            yield drawn(rng, rng.integers(2, len(text) - 2, batch))

    def loss_and_grad(p, batch):
        word, others = batch
        v, u = p[0][word], p[1][others]
        z = np.einsum("nk,njk->nj", v, u)
        z[:, 0] *= -1
        loss = float(np.logaddexp(0, z).sum()) / len(word)
        d = sigmoid(z) / len(word)
        d[:, 0] *= -1
        grads = [np.zeros_like(a) for a in p]
        np.add.at(grads[0], word, np.einsum("nj,njk->nk", d, u))
        np.add.at(grads[1], others, d[:, :, None] * v[:, None])
        return loss, grads

    all_data = drawn(rng, np.arange(2, len(text) - 2))

    def full_loss(p):
        return loss_and_grad(p, all_data)[0]

    return Problem(name, "word2vec", 400, params, batches, loss_and_grad, full_loss)


PROBLEMS = [
    views("views", 32, 8, 32, temperature=0.2),
    views("views-products", 24, 6, 64),
    word2vec("word2vec", 50, 8, 5, 64),
    word2vec("word2vec-small", 30, 4, 2, 16),
]
