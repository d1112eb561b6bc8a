"""A variational autoencoder of the digits, whose loss goes below 0.

The loss is the negative evidence lower bound (Kingma & Welling 2014) for each pixel.
With a Gaussian likelihood it is the log of a density, which has no least value.
`lr_find` finds the rate, a `Monitor` watches the run, and at the end the bound is
computed on digits that were held out.
"""

import argparse
from itertools import islice
from textwrap import fill

import numpy as np

import lrcore
from lrcore.cli.demo import load
from lrcore.schedules import Cosine

BATCH, STEPS, HIDDEN, CODE = 64, 1500, 64, 8


def new_params():
    """Return the weights of an encoder and a decoder, and the pixels' log deviation."""
    rng = np.random.default_rng(1)
    sizes = {"E1": (64, HIDDEN), "E2": (HIDDEN, 2 * CODE),
             "D1": (CODE, HIDDEN), "D2": (HIDDEN, 64)}  # fmt: skip
    params = {k: rng.normal(0, s[0] ** -0.5, s) for k, s in sizes.items()}
    params |= {k.replace("1", "b"): np.zeros(HIDDEN) for k in ("E1", "D1")}
    params["log_std"] = np.zeros(1)
    return {k: p.astype(np.float32) for k, p in params.items()}


def bound_and_grads(params, x, noise):
    """Return the loss, a pixel, and its gradients; noise draws the codes."""
    # The code is normal, of this mean and log variance.
    h = np.tanh(x @ params["E1"] + params["Eb"])
    mean, log_var = np.split(h @ params["E2"], 2, axis=1)
    std = np.exp(log_var / 2)
    z = mean + std * noise
    h_out = np.tanh(z @ params["D1"] + params["Db"])
    error = h_out @ params["D2"] - x
    log_std, precision = params["log_std"][0], np.exp(-2 * params["log_std"][0])
    prior = 0.5 * (mean**2 + std**2 - 1 - log_var).sum()
    square = precision * (error**2).sum()
    loss = (0.5 * square + prior) / x.size + log_std + 0.5 * np.log(2 * np.pi)

    d = error * (precision / x.size)
    grads = {"D2": h_out.T @ d, "log_std": np.array([1 - square / x.size], x.dtype)}
    d = (d @ params["D2"].T) * (1 - h_out**2)
    grads |= {"D1": z.T @ d, "Db": d.sum(axis=0)}
    d = d @ params["D1"].T
    by_log_var = (d * noise * std + (std**2 - 1) / x.size) / 2
    d = np.concatenate([d + mean / x.size, by_log_var], axis=1)
    grads["E2"] = h.T @ d
    d = (d @ params["E2"].T) * (1 - h**2)
    return float(loss), grads | {"E1": x.T @ d, "Eb": d.sum(axis=0)}


def batches(rng, x):
    """Yield without end: images, and the noise of their codes."""
    while True:
        noise = rng.normal(size=(BATCH, CODE)).astype(np.float32)
        yield x[rng.integers(len(x), size=BATCH)], noise


def main():
    """Find a rate, train at it, and measure the bound on held-out digits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--html", metavar="FILE", help="write a page on the run")
    args = parser.parse_args()

    x, _, x_test, _ = load(np.random.default_rng(0))
    params, rng = new_params(), np.random.default_rng(2)
    opt = lrcore.AdamW(params, telemetry=True)
    found = lrcore.lr_find(
        opt,
        lambda batch: bound_and_grads(params, *batch),
        lambda: batches(rng, x),
        rng=rng,
    )
    print(fill(f"lr_find suggests {found.suggestion:.2g}: {found.reason}.", 79), "\n")

    opt.lr = Cosine(found.suggestion, total=STEPS)
    monitor = lrcore.Monitor(opt)
    test_noise = np.random.default_rng(3).normal(size=(len(x_test), CODE))
    for step, batch in enumerate(islice(batches(rng, x), STEPS)):
        loss, grads = bound_and_grads(params, *batch)
        opt.step(grads)
        monitor.update(loss)
        if step in (0, STEPS // 10, STEPS - 1):
            bound, _ = bound_and_grads(params, x_test, test_noise.astype(np.float32))
            print(f"step {step + 1:5}: loss {loss:6.3f}, held-out {bound:6.3f}")
    deviation = float(np.exp(params["log_std"][0]))
    print(f"a pixel's deviation {deviation:.3f}, of digits {x.std():.3f}\n{monitor!r}")
    for finding in monitor.diagnose():
        print(fill(str(finding), 79, initial_indent="  ", subsequent_indent="  "))
    if args.html:
        monitor.report_html(args.html, "A variational autoencoder")
        print(f"The run: {args.html}")


if __name__ == "__main__":
    main()
