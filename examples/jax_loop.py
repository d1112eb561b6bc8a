"""JAX computes the loss and the gradients, lrcore steps NumPy params in place.

`np.asarray` shows the gradients to lrcore without a copy.  A call of a jitted function
returns before JAX has read the params: wait with `block_until_ready` before the step
that changes them.  To step inside a jitted function, see `lrcore.jax_ffi`.
Needs ``pip install jax``.
"""

import jax
import jax.numpy as jnp
import numpy as np

import lrcore
from lrcore.data import digits

BATCH, STEPS, HIDDEN = 64, 400, 48
TARGET = 0.1  # mean cross-entropy of the last 50 batches


def load():
    """Return images and labels."""
    images, labels = digits()
    return (images.reshape(len(images), -1) / 16).astype(np.float32), labels


def new_params(rng):
    """Return the weights of two layers (He et al. 2015) and their biases."""
    w1 = rng.normal(0, (2 / 64) ** 0.5, (64, HIDDEN)).astype(np.float32)
    w2 = rng.normal(0, (2 / HIDDEN) ** 0.5, (HIDDEN, 10)).astype(np.float32)
    b1, b2 = (np.zeros(n, np.float32) for n in (HIDDEN, 10))
    return {"W1": w1, "b1": b1, "W2": w2, "b2": b2}


@jax.jit
@jax.value_and_grad
def loss_and_grads(params, x, y):
    """Return the mean cross-entropy and its gradients, both of JAX."""
    hidden = jnp.tanh(x @ params["W1"] + params["b1"])
    log_p = jax.nn.log_softmax(hidden @ params["W2"] + params["b2"])
    return -log_p[jnp.arange(len(y)), y].mean()


def main():
    """Train, and compare the loss with the target."""
    (x, y), rng = load(), np.random.default_rng(0)
    params = new_params(rng)
    opt = lrcore.AdamW(params, lr=lrcore.schedules.Cosine(0.01, total=STEPS))
    losses = []
    for _ in range(STEPS):
        batch = rng.integers(len(x), size=BATCH)
        found = jax.block_until_ready(loss_and_grads(params, x[batch], y[batch]))
        loss, grads = jax.tree.map(np.asarray, found)
        opt.step(grads)
        losses.append(float(loss))
    print(f"loss {losses[0]:.3f}, then {np.mean(losses[-50:]):.3f}; target {TARGET}")


if __name__ == "__main__":
    main()
