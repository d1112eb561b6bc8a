"""Find a learning rate, then train: `lr_find`, and one cycle about what it suggests.

What is suggested is a rate to hold; a cycle peaks above it, where none would stay for
long (Smith & Topin 2018, "Super-Convergence").  Beside it run constant rates: the
optimizer's default, and the one that was found.  The network is that of `lrcore demo`.
"""

import argparse
from itertools import islice
from textwrap import fill

import numpy as np

import lrcore
from lrcore.cli.demo import SIZES, accuracy, load, loss_and_grads, new_network
from lrcore.schedules import Constant, OneCycle

BATCH, STEPS, SEEDS = 32, 200, 5
ABOVE = 3  # the peak, in found rates: half a decade higher


def batches(rng, x, y):
    """Yield batches without end, drawn by rng."""
    while True:
        rows = rng.integers(len(x), size=BATCH)
        yield x[rows], y[rows]


def find(params, opt, rng, x, y):
    """Return what `lr_find` says, and tell it; all stays as it was."""
    steps = 0

    def loss_and_grad(batch):
        nonlocal steps
        steps += 1
        return loss_and_grads(params, *batch)

    found = lrcore.lr_find(
        opt,
        loss_and_grad,
        lambda: batches(rng, x, y),  # a function: called anew for each trial,
        rng=rng,  # before which rng is put back, so that all see the same batches
    )
    told = (
        f"lr_find raised the rate from {found.lrs[0]:g} to {found.lrs[-1]:g}, ran "
        f"trials, and suggests {found.suggestion:.2g} with confidence "
        f"{found.confidence:.2f}: {found.reason}.  It took {steps} steps."
    )
    print(fill(told, 79))
    return found


def train(params, lr, rng, x, y):
    """Train by AdamW."""
    opt = lrcore.AdamW(params, lr=lr)
    for batch in islice(batches(rng, x, y), STEPS):
        opt.step(loss_and_grads(params, *batch)[1])


def main():
    """Find, train, compare, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", metavar="FILE", help="a picture of the range test")
    parser.add_argument("--schedule", metavar="FILE", help="a picture of the rates")
    args = parser.parse_args()

    x, y, x_test, y_test = load(np.random.default_rng(0))
    params, rng = new_network(SIZES), np.random.default_rng(1)
    opt = lrcore.AdamW(params)
    default, before = opt.lr, rng.bit_generator.state
    found = find(params, opt, rng, x, y)

    fresh = new_network(SIZES)
    kept = all(np.array_equal(params[name], fresh[name]) for name in params)
    print(
        f"\nAfter it: params as before: {kept}; rng as before: "
        f"{rng.bit_generator.state == before}; opt.t {opt.t}, opt.lr {opt.lr:g}.\n"
    )

    peak = ABOVE * found.suggestion
    rates = {
        f"constant {default:g}, the default": Constant(default),
        f"constant {found.suggestion:.2g}, as found": Constant(found.suggestion),
        f"one cycle, peak {peak:.2g}": OneCycle(peak, total=STEPS),
    }
    print(f"Test digits read after {STEPS} steps: mean of {SEEDS} runs, worst.")
    for name, lr in rates.items():
        shares = []
        for seed in range(SEEDS):
            params = new_network(SIZES)
            train(params, lr, np.random.default_rng(seed), x, y)
            shares.append(accuracy(params, x_test, y_test))
        print(f"{name:28} {np.mean(shares):6.1%} {min(shares):6.1%}")
    if args.plot:
        found.plot(args.plot)
        print(f"The range test: {args.plot}")
    if args.schedule:
        lrcore.plots.schedules(rates, STEPS, args.schedule)
        print(f"The rates: {args.schedule}")


if __name__ == "__main__":
    main()
