"""Find a learning rate with `lr_find`, then train by one cycle around it.

`lr_find` suggests a constant rate.  A cycle peaks above it, at a rate too high for long
(Smith & Topin 2018, "Super-Convergence").  It is compared with the default and the
suggested rate, held constant.  The network is that of `lrcore demo`.
"""

import argparse
from itertools import islice
from textwrap import fill

import numpy as np

import lrcore
from lrcore.cli.demo import SIZES, accuracy, load, loss_and_grads, new_network
from lrcore.schedules import Constant, OneCycle

BATCH, STEPS, SEEDS = 32, 200, 5
ABOVE = 3  # the peak over the suggested rate: half a decade


def batches(rng, x, y):
    """Yield batches without end, drawn by rng."""
    while True:
        rows = rng.integers(len(x), size=BATCH)
        yield x[rows], y[rows]


def find(params, opt, rng, x, y):
    """Run `lr_find`, print and return its result; params and rng do not change."""
    steps = 0

    def loss_and_grad(batch):
        nonlocal steps
        steps += 1
        return loss_and_grads(params, *batch)

    found = lrcore.lr_find(
        opt,
        loss_and_grad,
        # Each trial calls this function and begins with the same state of rng, so that
        # all trials see the same batches.
        lambda: batches(rng, x, y),
        rng=rng,
    )
    summary = (
        f"lr_find raised the rate from {found.lrs[0]:g} to {found.lrs[-1]:g}, ran "
        f"trials, and suggests {found.suggestion:.2g} with confidence "
        f"{found.confidence:.2f}: {found.reason}.  It took {steps} steps."
    )
    print(fill(summary, 79))
    return found


def train(params, lr, rng, x, y):
    """Train by AdamW."""
    opt = lrcore.AdamW(params, lr=lr)
    for batch in islice(batches(rng, x, y), STEPS):
        opt.step(loss_and_grads(params, *batch)[1])


def main():
    """Find, train, compare, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", metavar="FILE", help="draw the range test")
    parser.add_argument("--schedule", metavar="FILE", help="draw the schedules")
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
    print(f"Test accuracy after {STEPS} steps: mean of {SEEDS} runs, worst.")
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
