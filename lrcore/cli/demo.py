"""Learn handwritten digits in plain NumPy with an lrcore optimizer, then time it.

``lrcore demo`` runs this file.  It is an example to copy: ordinary NumPy, with lrcore
in the lines of `train` that have `opt`, `found` and `monitor`.
"""

from __future__ import annotations

import sys
import time
from typing import Any, NamedTuple

import numpy as np
from tqdm.auto import trange

import lrcore
from lrcore._shared.words import filled
from lrcore.bench.textbook import time_steps
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
    """The results of a training run."""

    accuracy: float
    seconds: float
    steps: int
    monitor: lrcore.Monitor
    found: lrcore.RangeTest | None


def train(optimizer: str, lr: float | None, epochs: int, find: bool = False) -> Run:
    """Train on the digits, with a warm-up over a tenth of the steps, then a cosine.

    find : begin with a range test, and train at the rate that it suggests.
    """
    rng = np.random.default_rng(0)
    x, y, x_held_out, y_held_out = load(rng)
    steps = epochs * (len(x) // BATCH)
    warmup = max(1, steps // 10)

    params = new_network(SIZES)
    given: Any = {} if lr is None else {"lr": lr}
    opt = getattr(lrcore, optimizer)(params, **given, telemetry=True)
    found = None
    if find:
        rows = rng.permutation(len(x))[: len(x) // BATCH * BATCH].reshape(-1, BATCH)
        found = lrcore.lr_find(
            opt, lambda batch: loss_and_grads(params, x[batch], y[batch]), rows
        )
        if found.confidence:
            found.apply(opt)
    opt.lr = Cosine(opt.lr, total=max(1, steps - warmup)).warmup(warmup)
    monitor = lrcore.Monitor(opt)
    start, order, validation = time.perf_counter(), np.empty(0, int), None
    hidden = sys.stderr is None or None  # None: unless it is a terminal
    with trange(steps, unit=" steps", desc="learning", disable=hidden) as bar:
        for _ in bar:
            if len(order) < BATCH:
                order = rng.permutation(len(x))
                validation = loss_and_grads(params, x_held_out, y_held_out)[0]
            batch, order = order[:BATCH], order[BATCH:]
            loss, grads = loss_and_grads(params, x[batch], y[batch])
            opt.step(grads, loss)
            monitor.update(loss, validation)
            validation = None
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
    seconds = time.perf_counter() - start
    return Run(accuracy(params, x_held_out, y_held_out), seconds, steps, monitor, found)


def main(
    optimizer: str, lr: float | None, epochs: int, plot: str | None, find: bool = False
) -> None:
    """Train, report, draw; then time the step beside the textbook's."""
    run = train(optimizer, lr, epochs, find)
    if run.found:
        print(f"{run.found}\n")
    print(
        f"{optimizer} reads {run.accuracy:.1%} of the held-out digits after "
        f"{run.steps} steps, {run.seconds:.1f} s."
    )
    for finding in run.monitor.diagnose():
        if finding.rate:
            print(filled(f"The learning rate is {finding.rate}: {finding}"))
    print()
    if plot:
        title = f"{optimizer}: {run.accuracy:.1%} of the held-out digits"
        run.monitor.plot(plot, title)
        print(f"The run in pictures: {plot}\n")
    print(time_steps([new_network(SIZES), new_network((784, 1256, 10))]))
