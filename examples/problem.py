"""A problem for `lrcore compare`: logistic regression of handwritten digits.

    lrcore compare examples/problem.py --optimizers SGD,AdamW --lr 0.01,0.1 --plot x.png

The file defines `params` and `loss_and_grads`; both take a random generator here, so
that the initial weights and the batches depend on the seed.
"""

import numpy as np

from lrcore.data import digits

BATCH = 64

images, labels = digits()
x_all = (images.reshape(len(images), -1) / 16).astype(np.float32)


def params(rng):
    """Return new weights and biases."""
    weights = rng.normal(0, 0.01, (64, 10)).astype(np.float32)
    return {"weights": weights, "biases": np.zeros(10, np.float32)}


def loss_and_grads(params, rng):
    """Return the mean cross-entropy of a random batch, and its gradients."""
    batch = rng.integers(len(labels), size=BATCH)
    x, y = x_all[batch], labels[batch]
    logits = x @ params["weights"] + params["biases"]
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(BATCH)
    loss = -np.log(p[rows, y]).mean()
    p[rows, y] -= 1
    p /= np.float32(BATCH)
    return loss, {"weights": x.T @ p, "biases": p.sum(axis=0)}
