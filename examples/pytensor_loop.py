"""PyTensor compiles the loss and the gradients, lrcore steps its shared variables.

With ``borrow=True``, a shared variable is an array of yours: the compiled function
reads it where lrcore updates it, and returns its gradients as new arrays of NumPy.
Compiling takes half a minute, or with ``PYTENSOR_FLAGS=mode=FAST_COMPILE`` in the
environment four seconds.  Needs ``pip install pytensor``.
"""

import numpy as np
import pytensor
import pytensor.tensor as pt

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
    w1 = rng.normal(0, (2 / 64) ** 0.5, (64, HIDDEN))
    w2 = rng.normal(0, (2 / HIDDEN) ** 0.5, (HIDDEN, 10))
    return {"W1": w1, "b1": np.zeros(HIDDEN), "W2": w2, "b2": np.zeros(10)}


def compiled(params):
    """Return a function of a batch, which gives the loss and the gradients."""
    shared = {k: pytensor.shared(p, k, borrow=True) for k, p in params.items()}
    x, y = pt.dmatrix("x"), pt.lvector("y")
    hidden = pt.tanh(x @ shared["W1"] + shared["b1"])
    log_p = pt.special.log_softmax(hidden @ shared["W2"] + shared["b2"], axis=1)
    loss = -log_p[pt.arange(y.shape[0]), y].mean()
    grads = pytensor.grad(loss, [*shared.values()])
    return pytensor.function([x, y], [loss, *grads])


def main():
    """Train, and compare the loss with the target."""
    (x, y), rng = load(), np.random.default_rng(0)
    params = new_params(rng)
    opt = lrcore.AdamW(params, lr=lrcore.schedules.Cosine(0.01, total=STEPS))
    loss_and_grads, losses = compiled(params), []
    for _ in range(STEPS):
        batch = rng.integers(len(x), size=BATCH)
        loss, *grads = loss_and_grads(x[batch], y[batch])
        opt.step(dict(zip(params, grads, strict=True)))
        losses.append(float(loss))
    print(f"loss {losses[0]:.3f}, then {np.mean(losses[-50:]):.3f}; target {TARGET}")


if __name__ == "__main__":
    main()
