"""Learn handwritten digits in plain NumPy with an lrcore optimizer, then time it.

``lrcore demo`` runs this file.  It is an example to copy: ordinary NumPy throughout,
with lrcore in the four lines of `train` that speak of `opt`.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
from tqdm import trange

import lrcore
from lrcore._plot import draw_run
from lrcore._timing import time_steps
from lrcore.data import digits
from lrcore.schedules import Cosine

Array = np.ndarray[Any, np.dtype[Any]]
Params = dict[str, Array]

BATCH = 32
SIZES = (64, 128, 10)  # pixels, hidden units, digits


def load(rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """Return training images and labels, and the fifth that is held out."""
    images, labels = digits()
    x = (images.reshape(len(images), -1) / 16).astype(np.float32)
    order = rng.permutation(len(x))
    held_out, train = order[: len(x) // 5], order[len(x) // 5 :]
    return x[train], labels[train], x[held_out], labels[held_out]


def new_network(sizes: tuple[int, int, int]) -> Params:
    """Return weights of two layers (He et al. 2015) and biases."""
    rng = np.random.default_rng(1)
    inputs, hidden, outputs = sizes
    params = {
        "W1": rng.normal(0, (2 / inputs) ** 0.5, (inputs, hidden)),
        "b1": np.zeros(hidden),
        "W2": rng.normal(0, (2 / hidden) ** 0.5, (hidden, outputs)),
        "b2": np.zeros(outputs),
    }
    return {name: p.astype(np.float32) for name, p in params.items()}


def predict(params: Params, x: Array) -> tuple[Array, Array]:
    """Return the hidden layer and the class probabilities."""
    hidden = np.maximum(x @ params["W1"] + params["b1"], 0)
    logits = hidden @ params["W2"] + params["b2"]
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return hidden, e / e.sum(axis=1, keepdims=True)


def loss_and_grads(params: Params, x: Array, y: Array) -> tuple[float, Params]:
    """Return the mean cross-entropy and its gradients."""
    hidden, probabilities = predict(params, x)
    rows = np.arange(len(y))
    loss = -np.log(probabilities[rows, y] + 1e-12).mean()
    probabilities[rows, y] -= 1
    d_logits = probabilities / np.float32(len(y))
    d_hidden = (d_logits @ params["W2"].T) * (hidden > 0)
    return float(loss), {
        "W1": x.T @ d_hidden,
        "b1": d_hidden.sum(axis=0),
        "W2": hidden.T @ d_logits,
        "b2": d_logits.sum(axis=0),
    }


def accuracy(params: Params, x: Array, y: Array) -> float:
    """Return the share of images whose likeliest class is their label."""
    return float((predict(params, x)[1].argmax(axis=1) == y).mean())


class Run(NamedTuple):
    """What there is to tell of a training run."""

    accuracy: float
    seconds: float
    losses: list[float]
    rates: list[float]


def train(optimizer: str, lr: float | None, epochs: int) -> Run:
    """Train on the digits, with a warm-up over a tenth of the steps, then a cosine."""
    rng = np.random.default_rng(0)
    x, y, x_held_out, y_held_out = load(rng)
    steps = epochs * (len(x) // BATCH)
    warmup = max(1, steps // 10)

    params = new_network(SIZES)
    opt = getattr(lrcore, optimizer)(params, **({} if lr is None else {"lr": lr}))
    opt.lr = Cosine(opt.lr, total=max(1, steps - warmup)).warmup(warmup)

    start, losses, rates = time.perf_counter(), [], []
    order = np.empty(0, int)
    with trange(steps, unit=" steps", desc="learning", disable=None) as bar:
        for _ in bar:
            if len(order) < BATCH:
                order = rng.permutation(len(x))
            batch, order = order[:BATCH], order[BATCH:]
            loss, grads = loss_and_grads(params, x[batch], y[batch])
            losses.append(loss)
            rates.append(opt.lr)
            opt.step(grads)
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
    seconds = time.perf_counter() - start
    return Run(accuracy(params, x_held_out, y_held_out), seconds, losses, rates)


def main(optimizer: str, lr: float | None, epochs: int, plot: str | None) -> None:
    """Train, report, draw; then time the step beside the textbook's."""
    run = train(optimizer, lr, epochs)
    print(
        f"{optimizer} reads {run.accuracy:.1%} of the held-out digits after "
        f"{len(run.losses)} steps, {run.seconds:.1f} s.\n"
    )
    if plot:
        title = f"{optimizer}: {run.accuracy:.1%} of the held-out digits"
        draw_run(run.losses, run.rates, plot, title)
        print(f"Loss and learning rate: {plot}\n")
    print(time_steps([new_network(SIZES), new_network((784, 1256, 10))]))
