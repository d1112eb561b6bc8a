"""A training loop of your own: a schedule, a plateau, early stopping.

The learning rate warms up and then falls by half a cosine.  It is halved whenever the
validation loss has not improved for some epochs; if this does not help, training stops
and the best params are restored.  The network and its gradients are plain NumPy; only
`train` uses lrcore.
"""

import argparse

import numpy as np

import lrcore
from lrcore.data import digits
from lrcore.schedules import Cosine

BATCH, EPOCHS, HIDDEN = 32, 100, 64


def load():
    """Return (images, labels) to train on, to validate with, and to test with."""
    images, labels = digits()
    x = (images.reshape(len(images), -1) / 16).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(x))
    return [(x[i], labels[i]) for i in np.split(order, [1077, 1437])]


def new_params():
    """Return the weights of two layers (He et al. 2015) and their biases."""
    rng = np.random.default_rng(1)
    w1 = rng.normal(0, (2 / 64) ** 0.5, (64, HIDDEN))
    w2 = rng.normal(0, (2 / HIDDEN) ** 0.5, (HIDDEN, 10))
    params = {"W1": w1, "b1": np.zeros(HIDDEN), "W2": w2, "b2": np.zeros(10)}
    return {name: p.astype(np.float32) for name, p in params.items()}


def forward(params, x, y):
    """Return the hidden layer, the log-probabilities, and the mean cross-entropy."""
    hidden = np.maximum(x @ params["W1"] + params["b1"], 0)
    logits = hidden @ params["W2"] + params["b2"]
    logits -= logits.max(axis=1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return hidden, log_p, float(-log_p[np.arange(len(y)), y].mean())


def loss_and_grads(params, x, y):
    """Return the loss of a batch, and its gradients in the structure of the params."""
    hidden, log_p, loss = forward(params, x, y)
    d_logits = np.exp(log_p)
    d_logits[np.arange(len(y)), y] -= 1
    d_logits /= len(y)
    d_hidden = (d_logits @ params["W2"].T) * (hidden > 0)
    w1, b1 = x.T @ d_hidden, d_hidden.sum(axis=0)
    w2, b2 = hidden.T @ d_logits, d_logits.sum(axis=0)
    return loss, {"W1": w1, "b1": b1, "W2": w2, "b2": b2}


def train(params, training, validation):
    """Train until the validation loss has stopped falling; return the monitor."""
    x, y = training
    batches = len(x) // BATCH
    lr = Cosine(0.01, total=EPOCHS * batches).warmup(2 * batches)
    plateau = lrcore.ReduceOnPlateau(lr, factor=0.5, patience=2)
    opt = lrcore.AdamW(params, lr=plateau)
    stopping = lrcore.EarlyStopping(patience=6, params=params)
    monitor = lrcore.Monitor(opt)  # it records the run for the picture

    rng = np.random.default_rng(2)
    for epoch in range(EPOCHS):
        order = rng.permutation(len(x))
        for batch in np.split(order[: batches * BATCH], batches):
            loss, grads = loss_and_grads(params, x[batch], y[batch])
            opt.step(grads)
            last = opt.t % batches == 0
            validated = forward(params, *validation)[-1] if last else None
            monitor.update(loss, validated)
        if plateau.update(validated):
            print(f"Epoch {epoch}: {validated:.4f}, lr halved to {opt.lr:.4f}.")
        if stopping.update(validated):
            break
    stopping.restore()
    print(f"The last validation loss is {validated:.4f}, after epoch {epoch}.")
    print(f"Restored: {stopping.best:.4f}, of epoch {stopping.best_update}.")
    return monitor


def main():
    """Train, test, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", metavar="FILE", help="draw the run")
    args = parser.parse_args()

    training, validation, (x, y) = load()
    params = new_params()
    monitor = train(params, training, validation)
    guesses = forward(params, x, y)[1].argmax(axis=1)
    print(f"Test accuracy: {np.mean(guesses == y):.1%}.")
    if args.plot:
        monitor.plot(args.plot)
        print(f"The run: {args.plot}")


if __name__ == "__main__":
    main()
