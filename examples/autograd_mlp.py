"""HIPS autograd takes the gradients, lrcore the steps: a network on digits.

autograd's arrays are NumPy's: the loss reads the params where lrcore updates them, and
the gradients go to the step as they are.  Nothing is copied or converted.
Needs ``pip install autograd``.
"""

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad

import lrcore
from lrcore.data import digits

BATCH, STEPS, HIDDEN = 64, 400, 48
TARGET = 0.1  # mean cross-entropy of the last 50 batches


def load():
    """Return images and labels."""
    images, labels = digits()
    return images.reshape(len(images), -1) / 16, labels


def new_params(rng):
    """Return the weights of two layers (He et al. 2015) and their biases."""
    return [
        {"W": rng.normal(0, (2 / 64) ** 0.5, (64, HIDDEN)), "b": np.zeros(HIDDEN)},
        {"W": rng.normal(0, (2 / HIDDEN) ** 0.5, (HIDDEN, 10)), "b": np.zeros(10)},
    ]


def loss(params, x, y):
    """Return the mean cross-entropy, in autograd's NumPy."""
    first, last = params
    hidden = anp.tanh(anp.dot(x, first["W"]) + first["b"])
    logits = anp.dot(hidden, last["W"]) + last["b"]
    top = anp.max(logits, axis=1, keepdims=True)
    norm = anp.log(anp.sum(anp.exp(logits - top), axis=1)) + top[:, 0]
    return anp.mean(norm - logits[anp.arange(len(y)), y])


def main():
    """Train, and compare the loss with the target."""
    (x, y), rng = load(), np.random.default_rng(0)
    params = new_params(rng)
    opt = lrcore.AdamW(params, lr=lrcore.schedules.Cosine(0.01, total=STEPS))
    loss_and_grads, losses = value_and_grad(loss), []  # of the first argument
    for _ in range(STEPS):
        batch = rng.integers(len(x), size=BATCH)
        value, grads = loss_and_grads(params, x[batch], y[batch])
        opt.step(grads)
        losses.append(value)
    last = np.mean(losses[-50:])
    print(f"loss {losses[0]:.3f}, then {last:.3f}; target {TARGET}")


if __name__ == "__main__":
    main()
