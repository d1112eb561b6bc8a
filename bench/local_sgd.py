"""What training apart costs in loss: LocalSGD beside synchronous training.

    python bench/local_sgd.py [--ranks N] [--steps N] [--seeds N]

Some ranks train on batches of their own, with AdamW.  "synchronous" steps by the mean
of their gradients in every step.  The other rows are `LocalSGD` with H steps between
two meetings: DiLoCo's outer optimizer (Nesterov, rate 0.7, momentum 0.9), also with
differences in bfloat16 and 8 bits; the plain mean of params; and "alone", one rank
without the others, which is what all this has to be better than.

Every row trains at RATES and is shown at its best one: the mean over the seeds of the
loss on all data after the last step, and in brackets its ratio to the synchronous one.
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
from typing import Any, NamedTuple

import numpy as np
from problems import by_name

import lrcore

NAMES = ("attention", "gated", "digits-deep", "autoencoder")
RATES = [float(f"{10 ** (k / 2):.3g}") for k in range(-7, -1)]
HS = (1, 10, 100)
CODECS = ("bf16", "int8")
MEAN = partial(lrcore.SGD, lr=1.0)


class Threads:
    """The five calls between ranks that are threads of this process."""

    def __init__(self, rank, size, board, barrier):
        self.rank, self.size = rank, size
        self._board, self._barrier = board, barrier

    def _told(self, value):
        """Return what each rank passes."""
        self._board[self.rank] = value
        self._barrier.wait()
        found = list(self._board)
        self._barrier.wait()
        return found

    def allgather(self, own, received, counts):
        received[...] = np.concatenate(self._told(own.copy()))

    def exchange(self, sent, sends, received, receives):
        ends = np.cumsum(sends)[:-1]
        rows = self._told(np.split(sent.copy(), ends))
        received[...] = np.concatenate([row[self.rank] for row in rows])

    def sum(self, numbers):
        numbers[...] = sum(self._told(numbers.copy()))

    def barrier(self):
        self._told(None)


def in_threads(size, function):
    """Return what a function of a group of ranks returns in each."""
    board, barrier = [None] * size, threading.Barrier(size)

    def run(rank):
        try:
            return function(Threads(rank, size, board, barrier))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(run, range(size)))


class Row(NamedTuple):
    """A way to train; every=None: "synchronous" or "alone"."""

    name: str
    every: int | None = None
    more: dict[str, Any] | None = None


ROWS = [
    Row("synchronous"),
    *(Row(f"DiLoCo, H = {h}", h) for h in HS),
    *(Row(f"DiLoCo, H = 100, {codec}", 100, {"codec": codec}) for codec in CODECS),
    *(Row(f"mean of params, H = {h}", h, {"outer": MEAN}) for h in HS[1:]),
    Row("alone"),
]


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


def apart(row, problem, seed, lr, steps, size):
    """Train by LocalSGD; return the last loss, and what share of bytes was sent."""

    def train(comm):
        params = start(problem, seed)
        batches = batches_of(problem, seed, comm.rank)
        inner = lrcore.AdamW(params, lr=lr, num_threads=1)
        local = lrcore.LocalSGD(inner, row.every, comm=comm, **(row.more or {}))
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
    row, name, seed, lr, steps, size = job
    problem = by_name(name)
    try:
        with np.errstate(all="ignore"):
            if row.name == "synchronous":
                found = synchronous(problem, seed, lr, steps, size)
            elif row.name == "alone":
                found = synchronous(problem, seed, lr, steps, 1)[0], 0.0
            else:
                found = apart(row, problem, seed, lr, steps, size)
    except (ValueError, threading.BrokenBarrierError):  # params are not finite
        return np.inf, np.nan
    return (found[0] if np.isfinite(found[0]) else np.inf), found[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ranks", type=int, default=4)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # NumPy reads it in the new processes
    begin = time.perf_counter()
    shape = len(NAMES), len(ROWS), len(RATES), given.seeds
    jobs = [
        (ROWS[r], NAMES[i], seed, RATES[k], given.steps, given.ranks)
        for i, r, k, seed in np.ndindex(*shape)
    ]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        found = np.array(list(pool.map(trained, jobs, chunksize=8)))
    losses = np.mean(found[:, 0].reshape(shape), axis=3)
    shares = found[:, 1].reshape(shape)
    best = losses.argmin(axis=2)
    firsts = [
        np.mean([by_name(n).full_loss(start(by_name(n), s))
                   for s in range(given.seeds)])
        for n in NAMES
    ]  # fmt: skip
    print(f"{given.ranks} ranks, {given.steps} steps each, {given.seeds} seeds, "
          f"{time.perf_counter() - begin:.0f} s\n")  # fmt: skip
    print("|  | " + " | ".join(NAMES) + " | sent |\n|---" + "|---:" * 5 + "|")
    print("| before training | " + " | ".join(f"{x:.3g}" for x in firsts) + " |  |")
    for r, row in enumerate(ROWS):
        cells = []
        for i in range(len(NAMES)):
            loss = losses[i, r, best[i, r]]
            ratio = loss / losses[i, 0, best[i, 0]]
            cells.append(f"{loss:.3g} ({ratio:.2f})")
        sent = np.nanmean(shares[:, r])
        print(f"| {row.name} | " + " | ".join(cells) + f" | {100 * sent:.3g} % |")
    print("\nbest rates: " + "; ".join(
        f"{name} {RATES[best[i, 0]]:g}, at H = 100 {RATES[best[i, 3]]:g}"
        for i, name in enumerate(NAMES)
    ))  # fmt: skip


if __name__ == "__main__":
    main()
