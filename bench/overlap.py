"""What travels together, and what travels during the backward pass, of 2 ranks.

    python bench/overlap.py [--rounds K] [--n N] [--passes MS] [--rate R] [--latency US]
    mpiexec -n 2 python -m mpi4py bench/overlap.py --mpi

Ranks of this host, by shared memory or with --mpi over MPI.  In each of K rounds all
sizes take turns, so that other work on the machine meets each of them.  All times are
of the slower rank: medians of the rounds, and the least, which count on a busy machine.

**Windows.** The gradient of N float32 (10^7) is reduced, and as many params are
gathered, in windows of other sizes (WINDOW of ``lrcore/distributed/_rows.py``).

**Buckets.** Arrays of the same size, 4 MB together or at most 200, come by `step_one`
without work between them: microseconds an array, until all have travelled, by the bytes
that wait for each other (BUCKET of ``_ones.py``).

**Overlap.** A backward pass of 8 layers, which takes --passes milliseconds when nothing
travels: it *computes* here, by products of matrices, or *elsewhere*, as on an
accelerator, and sleeps.  Each layer has 125,000 float32 params, which AdamW steps (one
thread):

passes    the pass alone
step      the pass, then `step` of all layers
step_one  the pass, with `step_one` after each layer
exchange  gradients travelling, in `step`
waiting   what is left of it after the pass, in `step_one`: exchange - (step - step_one)
hidden    the share of the exchange that `step_one` saves: (step - step_one) / exchange

The ranks share processors with what moves their bytes, so only what waits can be
hidden.  Ranks of one host hardly wait.  "as by a network" is a *stand-in* for one:
after each call a rank sleeps as long as its bytes would take at --rate (bytes a second)
and --latency for each other rank: full duplex, without contention, by default as 1 Gb
Ethernet.
"""

import argparse
import time
from functools import partial
from unittest import mock

import numpy as np

import lrcore
from lrcore.distributed import MPIComm, _ones, _rows, _traffic, run_ranks
from lrcore.distributed._shards import Owned, Shards

F4 = np.dtype(np.float32)
WINDOWS = [1 << k for k in range(16, 28)]
SIZES = [1 << k for k in range(8, 23, 2)]
BUCKETS = [0, *(1 << k for k in range(14, 23, 2))]
LAYERS, LAYER = 8, 125_000


class AsByNetwork:
    """Ranks whose calls take as long as a network would, and how long they took.

    Without a rate, they are only timed.
    """

    def __init__(self, comm, rate=None, latency=0.0):
        self.comm, self.rank, self.size = comm, comm.rank, comm.size
        self.rate, self.latency, self.exchanging = rate, latency, 0.0

    def _sleep(self, n_bytes):
        if self.rate is not None:
            time.sleep(n_bytes / self.rate + self.latency * (self.size - 1))

    def exchange(self, sent, sends, received, receives):
        begin = time.perf_counter()
        self.comm.exchange(sent, sends, received, receives)
        self._sleep(sum(sends) - sends[self.rank])
        self.exchanging += time.perf_counter() - begin

    def allgather(self, own, received, counts):
        self.comm.allgather(own, received, counts)
        self._sleep(own.size * (self.size - 1))

    def sum(self, numbers):
        self.comm.sum(numbers)
        self._sleep(numbers.nbytes * (self.size - 1))

    def barrier(self):
        self.comm.barrier()


def in_turns(comm, calls, rounds):
    """Return the seconds of each of some calls, in so many rounds, after one more."""
    times = np.zeros((rounds + 1, len(calls)))
    for k, row in enumerate(times):
        for j in range(len(calls)):
            i = (j + k) % len(calls)
            comm.barrier()
            begin = time.perf_counter()
            calls[i]()
            row[i] = time.perf_counter() - begin
    return times[1:]


def windows(comm, n, rounds):
    """Return the seconds of a gradient's way there and back, by window."""
    shards = Shards([Owned(n, 4.0 * n, False)], comm.size)
    g, w, blocks = np.ones(n, F4), np.ones(n, F4), [[k] for k in range(comm.size)]

    def trip(window):
        traffic = _traffic.Traffic(comm, shards, [F4])

        # The rows of all ranks share a window.
        @mock.patch.multiple(_rows, WINDOW=window, ROW=1)
        def there_and_back():
            traffic.reduce((True,), blocks, [[[g]]])
            traffic.gather((True,), [w])

        return there_and_back

    return in_turns(comm, [trip(window) for window in WINDOWS], rounds)


def buckets(comm, size, rounds):
    """Return the seconds of an array of so many bytes, by bucket."""
    count = min(max((1 << 22) // size, 1), 200)
    n = size // 4
    shards = Shards([Owned(n, 4.0 * n, False)] * count, comm.size)
    g = np.ones(n, F4)

    def sent(bucket):
        with mock.patch.object(_ones, "BUCKET", bucket):
            ones = _ones.Ones(comm, shards, [F4] * count)

        def all_sent():
            for i in range(count):
                ones.begin(i, g)
            ones.sums([True] * count)
            ones.clear()

        return all_sent

    return in_turns(comm, [sent(bucket) for bucket in BUCKETS], rounds) / count


def products(seconds):
    """Return a function that multiplies matrices for so long."""
    a, out = np.ones((96, 96), F4), np.empty((96, 96), F4)
    times = []
    for _ in range(200):
        begin = time.perf_counter()
        np.matmul(a, a, out=out)
        times.append(time.perf_counter() - begin)
    count = round(seconds / float(np.median(times)))

    def multiply():
        for _ in range(count):
            np.matmul(a, a, out=out)

    return multiply


def overlap(comm, compute, rounds, rate, latency):
    """Return the seconds of passes, `step`, `step_one`, and of the exchange of `step`.

    compute : is called for each layer.
    """
    timed = AsByNetwork(comm, rate, latency)
    names = [str(k) for k in range(LAYERS)]
    after, during = (
        lrcore.AdamW(
            {name: np.zeros(LAYER, F4) for name in names}, num_threads=1, comm=timed
        )
        for _ in range(2)
    )
    grads = {name: np.full(LAYER, 1e-3, F4) for name in names}
    exchanges = []

    def passes():
        for _ in names:
            compute()

    def step():
        passes()
        timed.exchanging = 0.0
        after.step(grads)
        exchanges.append(timed.exchanging)

    def step_one():
        for name in reversed(names):
            compute()
            during.step_one(name, grads[name])

    times = in_turns(comm, [passes, step, step_one], rounds)
    return np.column_stack([times, exchanges[1:]])


# --- printed --------------------------------------------------------------------------


def size_of(n):
    """Return a number of bytes in words."""
    for unit, each in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if n >= each:
            return f"{n // each} {unit}"
    return f"{n} B"


def print_sizes(found, names, unit):
    """Print a column of each name: the median, and the least."""
    slower = np.max(found, axis=0)
    for name, times in zip(names, slower.T, strict=True):
        print(
            f"{name:>10} {unit * np.median(times):>10.2f} {unit * times.min():>10.2f}"
        )


def print_buckets(of_sizes):
    """Print a row of each size of arrays, with a column for each bucket."""
    for word, reduced in (("median", np.median), ("least", np.min)):
        print(f"\nus an array ({word}), by size and bucket\n")
        print(f"{'array':>10}" + "".join(f"{size_of(b):>10}" for b in BUCKETS))
        for size, found in zip(SIZES, of_sizes, strict=True):
            times = 1e6 * reduced(np.max(found, axis=0), axis=0)
            print(f"{size_of(size):>10}" + "".join(f"{t:>10.1f}" for t in times))


def print_overlap(title, found):
    slower = 1e3 * np.max(found, axis=0)
    for word, reduced in (("median", np.median), ("least", np.min)):
        passes, step, one, exchange = reduced(slower, axis=0)
        saved = step - one
        cells = (passes, step, one, exchange, exchange - saved)
        print(f"{title + ', ' + word:<36}" + "".join(f"{t:>10.2f}" for t in cells)
              + f"{100 * saved / exchange:>8.0f} %", flush=True)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30, help="K")
    parser.add_argument("--n", type=float, default=1e7)
    parser.add_argument("--passes", type=float, default=60.0, help="milliseconds")
    parser.add_argument("--rate", type=float, default=0.94 * 0.125e9, help="bytes/s")
    parser.add_argument("--latency", type=float, default=50.0, help="microseconds")
    parser.add_argument("--mpi", action="store_true", help="the ranks of mpiexec")
    given = parser.parse_args()
    rounds, n = given.rounds, int(given.n)

    if given.mpi:
        from mpi4py import MPI

        comm = MPIComm(MPI.COMM_WORLD)

        def run(function, *args):
            return MPI.COMM_WORLD.gather(function(comm, *args))

        first, name = comm.rank == 0, "MPI"
    else:

        def run(function, *args):
            return run_ranks(2, function, *args, method="fork", timeout=300)

        first, name = True, "shared memory"

    found = run(windows, n, rounds)
    if first:
        print(f"{name}: ms of {n:.0e} float32 there and back, by window\n")
        print(f"{'window':>10} {'median':>10} {'least':>10}")
        print_sizes(found, map(size_of, WINDOWS), 1e3)
    of_sizes = [run(buckets, size, rounds) for size in SIZES]
    if first:
        print_buckets(of_sizes)
        words = ("passes", "step", "step_one", "exchange", "waiting", "hidden")
        print(f"\nms of a backward pass and a step of {LAYERS} layers of {LAYER:,} "
              f"float32\n\n{'':<36}" + "".join(f"{w:>10}" for w in words))  # fmt: skip
    layer, latency = 1e-3 * given.passes / LAYERS, 1e-6 * given.latency
    here, elsewhere = products(layer), partial(time.sleep, layer)
    for title, *how in (
        (f"here, {name}", here, rounds, None, 0.0),
        ("here, as by a network", here, rounds, given.rate, latency),
        (f"elsewhere, {name}", elsewhere, rounds, None, 0.0),
        ("elsewhere, as by a network", elsewhere, rounds, given.rate, latency),
    ):
        found = run(overlap, *how)
        if first:
            print_overlap(title, found)


if __name__ == "__main__":
    main()
