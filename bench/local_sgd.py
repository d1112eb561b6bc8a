"""What training apart costs in loss: LocalSGD beside synchronous training.

    python bench/local_sgd.py [--ranks N] [--steps N] [--seeds N] [--rows "H = 1"]
                              [--processes N]

Some ranks train on batches of their own, with AdamW.  "synchronous" steps by the mean
of their gradients in every step.  The other rows are `LocalSGD` with H steps between
two meetings: DiLoCo's outer optimizer (Nesterov, rate 0.7, momentum 0.9), also with
differences in bfloat16 and 8 bits, and with the best of OUTER_RATES; the plain mean of
params; and "alone", one rank without the others, which is what all this has to be
better than.

Every row trains at RATES and is shown at its best one: the mean over the seeds of the
loss on all data after the last step, and in brackets its ratio to the synchronous one.
A second table has the rates that were best.  `--rows` leaves out those whose name does
not end in this, except the synchronous one.
"sent" is the bytes that a rank sends, as a share of what it would send if all gradients
were averaged in each step by a ring.  The ranks are threads, whose results do not
depend on time.
"""

import argparse
import multiprocessing
import os
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from problems import by_name
from thread_ranks import group

import lrcore

NAMES = ("attention", "gated", "digits-deep", "autoencoder")
RATES = [float(f"{10 ** (k / 2):.3g}") for k in range(-9, -1)]
OUTER_RATES = (0.03, 0.1, 0.3, 0.7, 1.0)
HS = (1, 10, 100)
CODECS = ("bf16", "int8")


def in_threads(size, function):
    """Return what a function of a group of ranks returns in each."""

    def run(rank):
        try:
            return function(rank)
        except BaseException:
            rank.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(run, group(size)))


class Way(NamedTuple):
    """A way to train.

    every : the steps between two meetings; 0: the ranks average all gradients; None:
        there is one rank alone.
    outer_rate : of DiLoCo's outer optimizer; None: the mean of params.
    """

    every: int | None
    outer_rate: float | None = None
    codec: str | None = None


DILOCO = 0.7
"""The outer rate of DiLoCo's authors."""

ROWS = {
    "synchronous": [Way(0)],
    **{f"DiLoCo, H = {h}": [Way(h, DILOCO)] for h in HS},
    **{f"outer rate tuned, H = {h}": [Way(h, r) for r in OUTER_RATES] for h in HS},
    **{f"DiLoCo, H = 100, {codec}": [Way(100, DILOCO, codec)] for codec in CODECS},
    **{f"mean of params, H = {h}": [Way(h)] for h in HS},
    "alone": [Way(None)],
}
"""The ways of each row, of which it shows the best."""


def batches_of(problem, seed, rank):
    return problem.batches(np.random.default_rng([seed, 1, rank]))


def start(problem, seed):
    return problem.params(np.random.default_rng([seed, 0]))


def synchronous(problem, seed, lr, steps, size):
    """Train by the mean of the ranks' gradients; return the last loss."""
    params = start(problem, seed)
    opt = lrcore.AdamW(params, lr=lr, accumulate=size)
    each = [batches_of(problem, seed, rank) for rank in range(size)]
    for _ in range(steps):
        for batches in each:
            opt.step(problem.loss_and_grad(params, next(batches))[1])
    return problem.full_loss(params), 1.0


def outer_of(rate):
    """Return the outer optimizer."""
    if rate is None:
        return partial(lrcore.SGD, lr=1.0)
    return partial(lrcore.SGD, lr=rate, momentum=0.9, nesterov=True)


def apart(way, problem, seed, lr, steps, size):
    """Train by LocalSGD; return the last loss, and what share of bytes was sent."""

    def train(comm):
        params = start(problem, seed)
        batches = batches_of(problem, seed, comm.rank)
        inner = lrcore.AdamW(params, lr=lr, num_threads=1)
        outer = outer_of(way.outer_rate)
        local = lrcore.LocalSGD(inner, way.every, outer, comm=comm, codec=way.codec)
        for _ in range(steps):
            local.step(problem.loss_and_grad(params, next(batches))[1])
        local.finish()
        leaves = params.values() if isinstance(params, dict) else params
        vector = sum(p.nbytes for p in leaves)
        ring = 2 * (size - 1) / size * vector * steps
        return problem.full_loss(params), local.sent_bytes / ring

    return in_threads(size, train)[0]


def trained(job):
    """Return the last loss of a training, and its share of bytes."""
    way, name, seed, lr, steps, size = job
    problem = by_name(name)
    try:
        with np.errstate(all="ignore"):
            if way.every == 0:
                found = synchronous(problem, seed, lr, steps, size)
            elif way.every is None:
                found = synchronous(problem, seed, lr, steps, 1)[0], 0.0
            else:
                found = apart(way, problem, seed, lr, steps, size)
    except (ValueError, threading.BrokenBarrierError):  # params are not finite
        return np.inf, np.nan
    return (found[0] if np.isfinite(found[0]) else np.inf), found[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ranks", type=int, default=4)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rows", default="")
    parser.add_argument("--processes", type=int, default=2, help="that train at once")
    given = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # NumPy reads it in the new processes
    begin = time.perf_counter()
    rows = {
        row: ways
        for row, ways in ROWS.items()
        if row.endswith(given.rows) or row == "synchronous"
    }
    all_ways = list(dict.fromkeys(way for ways in rows.values() for way in ways))
    shape = len(all_ways), len(NAMES), len(RATES), given.seeds
    jobs = [
        (all_ways[w], NAMES[i], seed, RATES[k], given.steps, given.ranks)
        for w, i, k, seed in np.ndindex(*shape)
    ]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(given.processes, spawn) as pool:
        found = np.array(list(pool.map(trained, jobs, chunksize=8)))
    losses = np.mean(found[:, 0].reshape(shape), axis=3)
    shares = np.nanmean(found[:, 1].reshape(len(all_ways), -1), axis=1)
    print(f"{given.ranks} ranks, {given.steps} steps each, {given.seeds} seeds, "
          f"{time.perf_counter() - begin:.0f} s\n")  # fmt: skip
    losses, shares = (
        dict(zip(all_ways, each, strict=True)) for each in (losses, shares)
    )
    print_losses(rows, losses, shares, given.seeds)
    print_rates(rows, losses)


def best_of(losses, ways, i):
    """Return the best loss of a row on problem i, its rate, and its way."""
    pairs = [(way, k) for way in ways for k in range(len(RATES))]
    way, k = min(pairs, key=lambda pair: losses[pair[0]][i, pair[1]])
    return losses[way][i, k], RATES[k], way


def print_losses(rows, losses, shares, seeds):
    firsts = [
        np.mean([by_name(n).full_loss(start(by_name(n), s)) for s in range(seeds)])
        for n in NAMES
    ]
    print("|  | " + " | ".join(NAMES) + " | sent |\n|---" + "|---:" * 5 + "|")
    print("| before training | " + " | ".join(f"{x:.3g}" for x in firsts) + " |  |")
    for row, ways in rows.items():
        cells = []
        for i in range(len(NAMES)):
            loss = best_of(losses, ways, i)[0]
            ratio = loss / best_of(losses, ROWS["synchronous"], i)[0]
            cells.append(f"{loss:.3g} ({ratio:.2f})")
        sent = 100 * shares[ways[0]]
        print(f"| {row} | " + " | ".join(cells) + f" | {sent:.3g} % |")


def print_rates(rows, losses):
    print(
        "\n| best rates (outer) | " + " | ".join(NAMES) + " |\n|---" + "|---:" * 4 + "|"
    )
    for row, ways in rows.items():
        cells = []
        for i in range(len(NAMES)):
            _, rate, way = best_of(losses, ways, i)
            outer = f" ({way.outer_rate:g})" if len(ways) > 1 else ""
            cells.append(f"{rate:g}{outer}")
        print(f"| {row} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
