"""One cycle of the learning rate, with an opposite cycle of the momentum.

The rate rises to a value that would be too high for long, and falls almost to 0, while
the momentum falls and rises (Smith & Topin 2018, "Super-Convergence").  It is compared
with constant rates and with a cycle of the rate only, over the same number of steps and
from several seeds.  The params are a list of (weights, biases), one pair for each
layer.
"""

import argparse
from itertools import pairwise

import numpy as np

import lrcore
from lrcore.data import digits
from lrcore.schedules import OneCycle

SIZES = (64, 64, 64, 64, 10)  # pixels, hidden units, digits
BATCH, STEPS, SEEDS = 32, 200, 5


def load():
    """Return images and labels to train on, and held-out images and labels."""
    images, labels = digits()
    x = (images.reshape(len(images), -1) / 16).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(x))
    train, held_out = np.split(order, [1437])
    return x[train], labels[train], x[held_out], labels[held_out]


def new_params(rng):
    """Return the weights (He et al. 2015) and biases of each layer."""
    params = []
    for m, n in pairwise(SIZES):
        weights = rng.normal(0, (2 / m) ** 0.5, (m, n)).astype(np.float32)
        params.append((weights, np.zeros(n, np.float32)))
    return params


def forward(params, x):
    """Return the input of each layer, then the logits."""
    taken = [x]
    for weights, biases in params[:-1]:
        taken.append(np.maximum(taken[-1] @ weights + biases, 0))
    weights, biases = params[-1]
    return [*taken, taken[-1] @ weights + biases]


def gradients(params, x, y):
    """Return the gradients of the mean cross-entropy, from the last layer back."""
    *taken, logits = forward(params, x)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    d = p / p.sum(axis=1, keepdims=True)
    d[np.arange(len(y)), y] -= 1
    d /= len(y)
    grads = []
    for h, (weights, _) in zip(reversed(taken), reversed(params), strict=True):
        grads.append((h.T @ d, d.sum(axis=0)))
        d = (d @ weights.T) * (h > 0)
    return grads[::-1]


def accuracy(data, lr, momentum, seed):
    """Train; return the share of held-out digits that are classified correctly."""
    x, y, x_held_out, y_held_out = data
    rng = np.random.default_rng(seed)
    params = new_params(rng)
    opt = lrcore.SGD(params, lr=lr, momentum=momentum, nesterov=True)
    for _ in range(STEPS):
        batch = rng.integers(len(x), size=BATCH)
        opt.step(gradients(params, x[batch], y[batch]))
    return np.mean(forward(params, x_held_out)[-1].argmax(axis=1) == y_held_out)


def main():
    """Compare the schedules, and draw the cycle."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peak", type=float, default=0.1, help="the highest rate")
    parser.add_argument("--plot", metavar="FILE", help="draw the cycle")
    args = parser.parse_args()

    lr = OneCycle(args.peak, total=STEPS)
    momentum = lr.momentum(low=0.85, high=0.95)
    data = load()
    print(f"Held-out accuracy after {STEPS} steps: mean of {SEEDS} runs, worst.")
    for name, *hypers in (
        (f"constant rate {args.peak / 3:.3g}", args.peak / 3, 0.9),
        (f"constant rate {args.peak:.3g}", args.peak, 0.9),
        ("one cycle, momentum 0.9", lr, 0.9),
        ("one cycle, momentum against it", lr, momentum),
    ):
        shares = [accuracy(data, *hypers, seed) for seed in range(SEEDS)]
        print(f"{name:31} {np.mean(shares):6.1%} {min(shares):6.1%}")
    if args.plot:
        curves = {"rate / peak": lr.scale(1 / args.peak), "momentum": momentum}
        lrcore.plots.schedules(curves, STEPS, args.plot, "One cycle", label="value")
        print(f"The cycle: {args.plot}")


if __name__ == "__main__":
    main()
