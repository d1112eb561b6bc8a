"""The monitor reports a learning rate that is too high or too low.

The same loop runs three times: at a rate that diverges, at the same rate with a monitor
that rolls back, and at a rate that is far too low.  The model is linear least squares:
its loss grows without bounds if the steps are longer than the curvature allows.
"""

import argparse
from textwrap import fill

import numpy as np

import lrcore
from lrcore.data import digits
from lrcore.schedules import Cosine

BATCH, STEPS = 32, 1000


def load():
    """Return images and labels to train on, and held-out images and labels."""
    images, labels = digits()
    x = (images.reshape(len(images), -1) / 16).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(x))
    train, held_out = np.split(order, [1437])
    return x[train], labels[train], x[held_out], labels[held_out]


def new_params():
    """Return small random weights, and biases of 0."""
    weights = np.random.default_rng(2).normal(0, 0.05, (64, 10))
    return {"W": weights.astype(np.float32), "b": np.zeros(10, np.float32)}


def loss_and_grads(params, x, y):
    """Return half the mean squared error, and its gradients."""
    error = x @ params["W"] + params["b"] - np.eye(10, dtype=np.float32)[y]
    loss = 0.5 * (error**2).sum(axis=1).mean()
    error /= len(y)
    return float(loss), {"W": x.T @ error, "b": error.sum(axis=0)}


def train(params, x, y, lr, on_divergence):
    """Train; print the monitor's findings; stop if the rate is too high."""
    opt = lrcore.SGD(params, lr=lr, momentum=0.9, telemetry=True)
    monitor = lrcore.Monitor(opt, on_divergence=on_divergence)
    rng = np.random.default_rng(1)
    for _ in range(STEPS):
        batch = rng.integers(len(x), size=BATCH)
        loss, grads = loss_and_grads(params, x[batch], y[batch])
        opt.step(grads)
        finding = monitor.update(loss)
        if finding:
            print(fill(str(finding), 79, initial_indent="  ", subsequent_indent="  "))
            if finding.rate == "too high" and finding.kind != "rolled back":
                break
    return monitor


def main():
    """Run the loop three times; write a page on the run that was rolled back."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--html", metavar="FILE", help="write a page on the second run")
    args = parser.parse_args()

    x, y, x_held_out, y_held_out = load()
    for title, lr, on_divergence in (
        ("Too high", 0.3, None),
        ("Too high, with rollback", 0.3, "rollback"),
        ("Too low", 1e-6, None),
    ):
        print(f"{title}: a cosine from {lr:g}")
        params = new_params()
        monitor = train(params, x, y, Cosine(lr, total=STEPS), on_divergence)
        guesses = (x_held_out @ params["W"] + params["b"]).argmax(axis=1)
        share = np.mean(guesses == y_held_out)
        print(f"  {share:.1%} accuracy on held-out digits; {monitor!r}\n")
        if args.html and on_divergence:
            monitor.report_html(args.html, title)
    if args.html:
        print(f"The run that was rolled back: {args.html}")


if __name__ == "__main__":
    main()
