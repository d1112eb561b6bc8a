"""Find an optimizer and its learning rate for the digits, with Hyperband.

Most trials are stopped after one or three epochs; only the best train for all epochs
(Li et al. 2018).  The network is that of `lrcore demo`.  Needs the extra `search`: pip
install optuna.
"""

import argparse
import sys

import numpy as np

import lrcore
from lrcore import space
from lrcore.cli.demo import SIZES, accuracy, load, loss_and_grads, new_network
from lrcore.schedules import Cosine

EPOCHS = 9  # of a trial that is not stopped early

SPACE = {
    "optimizer": space.optimizer("SGD", "AdamW", "Lion"),
    "lr": space.lr(1e-5, 1.0),
    "batch_size": space.batch_size(16, 128),
    "warmup": space.warmup(),
}


def data():
    """Return images and labels for training, validation and test."""
    x, y, x_test, y_test = load(np.random.default_rng(0))
    cut = len(x) * 3 // 4
    return (x[:cut], y[:cut]), (x[cut:], y[cut:]), (x_test, y_test)


def train(params, network):
    """Train a network in place, and yield its validation loss after each epoch."""
    (x, y), validation, _ = data()
    steps = len(x) // params["batch_size"]
    warmup = round(params["warmup"] * EPOCHS * steps)
    lr = Cosine(params["lr"], total=EPOCHS * steps - warmup)
    opt = getattr(lrcore, params["optimizer"])(network, lr=lr.warmup(max(1, warmup)))
    rng = np.random.default_rng(2)

    @np.errstate(over="ignore", invalid="ignore")  # high rates may diverge
    def epoch():
        for batch in np.array_split(rng.permutation(len(x)), steps):
            opt.step(loss_and_grads(network, x[batch], y[batch])[1])
        return loss_and_grads(network, *validation)[0]

    for _ in range(EPOCHS):
        yield epoch()


def objective(params):
    """Return the losses that a trial yields; all trials begin with the same weights."""
    return train(params, new_network(SIZES))


def main():
    """Search, print the best trials, then train and test with the best params."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--storage", help="file of the study, to continue it later")
    parser.add_argument("--plot", metavar="FILE", help="draw it: a .png, .pdf or .svg")
    args = parser.parse_args()

    found = lrcore.tune(
        objective, SPACE, "hyperband", args.trials, max_steps=EPOCHS, seed=0,
        n_jobs=args.jobs, storage=args.storage,
        name="digits" if args.storage else None, progress=sys.stderr.isatty(),
    )  # fmt: skip
    print(found.table(8))
    epochs = sum(len(trial.losses) for trial in found.trials)
    print(f"\n{epochs} epochs, where {len(found.trials) * EPOCHS} are of full trials")

    network = new_network(SIZES)
    *_, loss = train(found.best_params, network)
    *_, test = data()
    print(f"\nbest: {found.best_params}")
    share = accuracy(network, *test)
    print(f"validation loss {loss:.4f}, {share:.1%} of the test digits are right")
    if args.plot:
        found.plot(args.plot)


if __name__ == "__main__":
    main()
