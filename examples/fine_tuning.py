"""Fine-tune a trained network on other images, at a rate that `lr_find` has found.

A network is trained on the digits.  Then come 100 images from another scanner, which
are pale and noisy, on a grey ground.  The network is fine-tuned on these images, and
compared with a new network that sees nothing else.  The best rate depends on the start,
so `lr_find` runs for each of the two, and a `Monitor` watches both.  The network is
that of `lrcore demo`.
"""

import argparse
from itertools import islice
from textwrap import fill

import numpy as np

import lrcore
from lrcore.cli.demo import SIZES, accuracy, load, loss_and_grads, new_network
from lrcore.schedules import Cosine

BATCH, BEFORE, STEPS, FEW = 32, 400, 100, 100


def scanned_again(x, rng):
    """Return paler images on a grey ground, with noise."""
    return (0.3 + 0.5 * x + 0.15 * rng.normal(size=x.shape)).astype(np.float32)


def batches(rng, x, y):
    """Yield batches without end, drawn by rng."""
    while True:
        rows = rng.integers(len(x), size=BATCH)
        yield x[rows], y[rows]


def found_rate(params, x, y):
    """Return the peak that `lr_find` suggests for these params, data and schedule."""
    rng = np.random.default_rng(2)
    found = lrcore.lr_find(
        lrcore.AdamW(params),
        lambda batch: loss_and_grads(params, *batch),
        lambda: batches(rng, x, y),
        schedule=Cosine(1.0, total=STEPS),
        total=STEPS,
        rng=rng,
    )
    return found.suggestion


def train(params, lr, steps, x, y):
    """Train by AdamW and a cosine from lr; return the monitor of the run."""
    opt = lrcore.AdamW(params, lr=Cosine(lr, total=steps), telemetry=True)
    monitor = lrcore.Monitor(opt)
    for batch in islice(batches(np.random.default_rng(3), x, y), steps):
        loss, grads = loss_and_grads(params, *batch)
        opt.step(grads)
        monitor.update(loss)
    return monitor


def main():
    """Train before, find and tune; find and train from new params; compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--html", metavar="FILE", help="write a page on the tuning")
    args = parser.parse_args()

    rng = np.random.default_rng(0)
    x, y, x_test, y_test = load(rng)
    trained = new_network(SIZES)
    train(trained, 0.01, BEFORE, x, y)
    print(
        f"{accuracy(trained, x_test, y_test):6.1%} of the test digits, trained before"
    )
    few, few_labels = scanned_again(x[:FEW], rng), y[:FEW]
    x_test = scanned_again(x_test, rng)
    print(f"{accuracy(trained, x_test, y_test):6.1%} of them, scanned again\n")

    for name, params in {"tuned": trained, "new": new_network(SIZES)}.items():
        lr = found_rate(params, few, few_labels)
        monitor = train(params, lr, STEPS, few, few_labels)
        share = accuracy(params, x_test, y_test)
        print(f"{name}: {share:6.1%} after {STEPS} steps on {FEW} images, lr {lr:.2g}")
        for finding in monitor.diagnose():
            print(fill(str(finding), 79, initial_indent="  ", subsequent_indent="  "))
        if args.html and name == "tuned":
            monitor.report_html(args.html, "Tuned to another scanner")
    if args.html:
        print(f"The tuning: {args.html}")


if __name__ == "__main__":
    main()
