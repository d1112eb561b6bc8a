"""Prodigy, which needs no learning rate, compared with AdamW at a tuned rate.

Prodigy finds its rate during training (Mishchenko & Defazio 2024).  Its lr begins at 1
and falls by half a cosine, as its authors advise.  AdamW has the same schedule from
each rate of a sweep, and the validation loss selects the best.  All runs begin with the
same weights and see the same batches.  The network is that of `lrcore demo`.
"""

import argparse

import numpy as np

import lrcore
from lrcore.cli.demo import SIZES, accuracy, load, loss_and_grads, new_network
from lrcore.schedules import Cosine

BATCH, STEPS, WEIGHT_DECAY = 32, 300, 0.01
RATES = np.geomspace(1e-5, 1, 11)  # half a decade apart


def data():
    """Return images and labels for training, validation and test."""
    x, y, x_test, y_test = load(np.random.default_rng(0))
    cut = len(x) * 3 // 4
    return (x[:cut], y[:cut]), (x[cut:], y[cut:]), (x_test, y_test)


def train(optimizer, lr, x, y):
    """Train a network; return it and its optimizer."""
    params = new_network(SIZES)
    schedule = Cosine(lr, total=STEPS)
    opt = optimizer(params, lr=schedule, weight_decay=WEIGHT_DECAY)
    rng = np.random.default_rng(1)
    for _ in range(STEPS):
        rows = rng.integers(len(x), size=BATCH)
        opt.step(loss_and_grads(params, x[rows], y[rows])[1])
    return params, opt


def draw(found, loss, path):
    """Draw the sweep's losses by rate, and Prodigy's loss as a line."""
    figure = found.plot()
    (axes,) = figure.axes
    axes.axhline(loss, color="black", linestyle="--", label="Prodigy")
    axes.legend(frameon=False)
    axes.set(title="AdamW by its rate, and Prodigy", ylabel="validation loss")
    figure.savefig(path, dpi=150)


def main():
    """Sweep, train, compare, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", metavar="FILE", help="draw the losses")
    args = parser.parse_args()

    training, validation, (x_test, y_test) = data()
    networks = {}

    def make_run(lr):
        networks[lr], _ = train(lrcore.AdamW, lr, *training)
        return loss_and_grads(networks[lr], *validation)[0]

    found = lrcore.sweep(make_run, RATES)
    print(f"AdamW: validation loss after {STEPS} steps, by learning rate\n\n{found}")

    tuned = found.best_params["lr"]
    params, opt = train(lrcore.Prodigy, 1.0, *training)
    loss = loss_and_grads(params, *validation)[0]
    d = opt.state[0]["d"]
    print("\n                      validation loss     test accuracy")
    for name, value, network in (
        (f"AdamW, lr {tuned:.2g}", found.best_value, networks[tuned]),
        ("Prodigy, lr 1", loss, params),
    ):
        print(f"{name:22}{value:15.4f}{accuracy(network, x_test, y_test):18.1%}")
    print(
        f"(one of the {len(y_test)} test digits is {1 / len(y_test):.1%})\n\n"
        f"Prodigy's estimate d, by which its lr is multiplied, is {d:.2g} in the end.\n"
        f"It took 1 run of {STEPS} steps.  AdamW took {len(RATES)} runs, "
        f"{len(RATES) * STEPS} steps, for its rate."
    )
    if args.plot:
        draw(found, loss, args.plot)
        print(f"The losses by rate: {args.plot}")


if __name__ == "__main__":
    main()
