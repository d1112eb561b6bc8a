"""What a step of several ranks costs: measured here, and by a model elsewhere.

    python bench/scale.py [--n N ...] [--ranks R ...] [--rounds K] [--only-model]
    mpiexec -n 2 python -m mpi4py bench/scale.py --mpi

**Measured.** Ranks on this host step AdamW of N float32 params (`comm`, one thread and
one gradient each), by shared memory, or with --mpi over MPI.  The ranks meet before
each call, so that waiting for the slowest is told apart from the call itself.  The
fastest of K steps, in milliseconds, of the slowest rank in it.  The K steps of each row
are taken in 5 turns of all rows of an N, so that what else the machine does for a while
is met by all of them; the numbers for the model are the best of the turns, too:

sent      bytes that a rank sends, by the bound of a ring: 2 (R - 1) / R times 4 N
exchange  in calls
waiting   before them
step      all else: packing, sums, AdamW
by model  what the model says of exchange, and of step, with numbers measured here on
          the same ranks: a call's latency and rate by calls of other sizes, the rate of
          the step by a step of one process, that of copies by NumPy

**The model.** With B = 4 N bytes, which travel in W windows (`row_bytes` of
``lrcore/distributed/_rows.py``), latency a and rate b of a link, and memory of m
bytes a second,

    exchange = 2 W (R - 1) a + 2 (R - 1) / R B / b     each rank sends to each other one
    meetings = 2 M (R - 1) a                           M small all-gathers
    copies   = (2 B + 2 B + 3 (R - 1) / R B) / m       packed, unpacked, added up
    step     = 28 N / (R m)                            AdamW's 7 accesses an element

It assumes full-duplex links without contention, calls one after the other (no overlap
of exchange and backward pass), equal ranks, one rank a machine.  Here ranks share the
cores: with more ranks than cores, copies and steps take R / cores times as long.

**The tables** take a and b of NETWORKS (94 % of the line's rate), m = 100 GB/s (eight
channels of DDR5 at half their peak), and a backward and forward pass of 6 N operations
a token, 2,048 tokens a rank and step, at 10^12 operations a second: --tokens and
--flops change these.  "share" is that of the passes in the time of a step.  H is the
least number of steps between two meetings of LocalSGD that leaves the passes 95 %: the
exchange is that of its differences, with float32, and with 8 bits.
"""

import argparse
import math
import os
import time
from typing import NamedTuple

import numpy as np

import lrcore
from lrcore.distributed import MPIComm, run_ranks
from lrcore.distributed._rows import row_bytes
from lrcore.local_training import Int8


class Machine(NamedTuple):
    """The numbers of the model: seconds, and bytes a second.

    latency, rate : of a link.
    memory : of the step; copies : of copies.
    cores : that the ranks share; None: each has its own.
    """

    latency: float
    rate: float
    memory: float
    copies: float
    cores: int | None = None


NETWORKS = {
    "1 GbE": (50e-6, 0.94 * 0.125e9),
    "10 GbE": (20e-6, 0.94 * 1.25e9),
    "100 GbE": (5e-6, 0.94 * 12.5e9),
    "200 Gb InfiniBand": (2e-6, 0.94 * 25e9),
}
MEMORY = 100e9
SIZES = (10**8, 10**10)
RANKS = (8, 32, 128, 1024)
MEETINGS = 1
"""Small all-gathers of a step that has no clipping: it begins with one."""


class Cost(NamedTuple):
    """Seconds of the parts of a step."""

    exchange: float
    copies: float
    step: float

    @property
    def total(self):
        return self.exchange + self.copies + self.step


def ring_bytes(n_bytes, ranks):
    """Return the least bytes that a rank sends to average so many."""
    return 2 * (ranks - 1) / ranks * n_bytes


def exchange(n_bytes, ranks, windows, at):
    """Return the seconds of an average over ranks, with its meetings."""
    messages = 2 * (ranks - 1) * (windows + MEETINGS)
    return messages * at.latency + ring_bytes(n_bytes, ranks) / at.rate


def cost(n, ranks, at):
    """Return the cost of a step of n params by the model."""
    crowd = 1.0 if at.cores is None else max(1.0, ranks / at.cores)
    windows = max(math.ceil(4 * n / ranks / row_bytes(ranks)), 1)
    share = (ranks - 1) / ranks
    return Cost(
        exchange(4 * n, ranks, windows, at),
        crowd * (4 + 3 * share) * 4 * n / at.copies if ranks > 1 else 0.0,
        crowd * 28 * n / (ranks * at.memory),
    )


def least_every(n, ranks, at, passes, wanted=0.95, n_bytes=None):
    """Return the least H at which passes have the wanted share; None: no H does.

    passes : seconds of a step's passes; each rank then steps all params by itself.
    n_bytes : of the differences, which travel in one window; None: 4 n.
    """
    alone = 28 * n / at.memory
    spare = passes * (1 / wanted - 1) - alone
    sent = exchange(4 * n if n_bytes is None else n_bytes, ranks, 1, at)
    # The outer step has 5 accesses an element, the differences and copies 5 more.
    return math.ceil((sent + 40 * n / at.memory) / spare) if spare > 0 else None


# --- measured -------------------------------------------------------------------------


class Timed:
    """A group of ranks whose calls are timed."""

    def __init__(self, comm):
        self.comm, self.rank, self.size = comm, comm.rank, comm.size
        self.begin()

    def begin(self):
        self.waiting = self.exchanging = 0.0
        self.sent = 0

    def _timed(self, call, *args):
        begin = time.perf_counter()
        self.comm.barrier()
        middle = time.perf_counter()
        call(*args)
        self.waiting += middle - begin
        self.exchanging += time.perf_counter() - middle

    def exchange(self, sent, sends, received, receives):
        self.sent += sum(sends) - sends[self.rank]
        self._timed(self.comm.exchange, sent, sends, received, receives)

    def allgather(self, own, received, counts):
        self.sent += own.size * (self.size - 1)
        self._timed(self.comm.allgather, own, received, counts)

    def sum(self, numbers):
        self._timed(self.comm.sum, numbers)

    def barrier(self):
        self._timed(self.comm.barrier)


def least_time(function, rounds):
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times)


def calls_time(comm, n_bytes, rounds):
    """Return the seconds of the calls in which a rank sends n bytes to each, twice."""
    one, all_ = np.zeros(n_bytes, np.uint8), np.zeros(n_bytes * comm.size, np.uint8)
    received = np.empty_like(all_)
    counts = [n_bytes] * comm.size

    def calls():
        comm.barrier()
        begin = time.perf_counter()
        comm.exchange(all_, counts, received, counts)
        comm.allgather(one, received, counts)
        return time.perf_counter() - begin

    return min(calls() for _ in range(rounds))


class Found(NamedTuple):
    """What a rank has measured in a turn.

    row : of the fastest step: sent bytes, seconds in calls, before them, all else.
    slowest : the seconds of that step on the slowest rank.
    latency, rate : of calls.
    """

    row: tuple
    slowest: float
    latency: float
    rate: float


def measured(comm, n, rounds):
    """Return what a rank finds in so many steps."""
    timed = Timed(comm)
    w = np.zeros(n, np.float32)
    g = np.full(n, 1e-3, np.float32)
    opt = lrcore.AdamW(w, num_threads=1, comm=timed)
    rows = []
    for _ in range(rounds):
        timed.begin()
        begin = time.perf_counter()
        opt.step(g)
        total = time.perf_counter() - begin
        step = total - timed.waiting - timed.exchanging
        rows.append((timed.sent, timed.exchanging, timed.waiting, step))
    totals = np.array([sum(row[1:]) for row in rows])
    of_all = np.empty((comm.size, rounds))
    comm.allgather(
        totals.view(np.uint8), of_all.reshape(-1).view(np.uint8),
        [totals.nbytes] * comm.size,
    )  # fmt: skip
    slowest = of_all.max(axis=0)
    best = int(slowest.argmin())

    small, large = 64, max(4 * n // comm.size, 1 << 16)
    latency = rate = 0.0
    if comm.size > 1:
        short, long = (calls_time(comm, size, rounds) for size in (small, large))
        latency = short / (2 * (comm.size - 1))
        rate = 2 * (comm.size - 1) * large / max(long - short, 1e-9)
    return Found(rows[best], slowest[best], latency, rate)


def alone(n, rounds):
    """Return the bytes a second of a step of one process, and of NumPy's copies."""
    w, g = np.zeros(n, np.float32), np.full(n, 1e-3, np.float32)
    opt = lrcore.AdamW(w, num_threads=1)
    step = 28 * n / least_time(lambda: opt.step(g), rounds)
    other = np.empty_like(g)
    return step, 8 * n / least_time(lambda: np.copyto(other, g), rounds)


def best_turn(turns):
    """Return what each rank has found, of the turn with the fastest step.

    turns : for each, what each rank has found.  Latencies and rates are the best of
    all turns.
    """
    fastest = min(turns, key=lambda of_ranks: of_ranks[0].slowest)
    return [
        found._replace(
            latency=min(each[r].latency for each in turns),
            rate=max(each[r].rate for each in turns),
        )
        for r, found in enumerate(fastest)
    ]


def told(n, ranks, found, rates, cores, over=""):
    """Return a row of the table of what was measured, as text."""
    slowest = np.max([each.row for each in found], axis=0)
    latency = max(each.latency for each in found)
    rate = min(each.rate for each in found) or math.inf
    by_model = cost(n, ranks, Machine(latency, rate, *rates, cores))
    sent, exchange, waiting, step = slowest
    bound = ring_bytes(4 * n, ranks)
    by_ring = f"{sent / bound:.4f}" if bound else "0 / 0"
    times = exchange, by_model.exchange, waiting, step, by_model.copies + by_model.step
    cells = [f"{n:.0e}{over}", str(ranks), by_ring, *(f"{1e3 * t:.2f}" for t in times)]
    return "| " + " | ".join(cells) + " |"


TURNS = 5
HEAD = "| N | ranks | sent | exchange | by model | waiting | step | by model |"
RULE = "|---" * 8 + "|"


def print_measured(sizes, counts, rounds):
    print(f"ranks of this host, {os.cpu_count()} cores\n\n{HEAD}\n{RULE}")
    each = max(rounds // TURNS, 1)
    for n in sizes:
        rates, turns = [], {ranks: [] for ranks in counts}
        for _ in range(TURNS):
            rates.append(alone(n, each))
            for ranks, found in turns.items():
                found.append(
                    run_ranks(ranks, measured, n, each, method="fork", timeout=300)
                )
        for ranks, found in turns.items():
            best = np.max(rates, axis=0)
            print(told(n, ranks, best_turn(found), best, os.cpu_count()), flush=True)


def print_over_mpi(sizes, rounds):
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    comm = MPIComm(world)
    if world.rank == 0:
        print(f"ranks of MPI, {os.cpu_count()} cores\n\n{HEAD}\n{RULE}")
    each = max(rounds // TURNS, 1)
    for n in sizes:
        rates, turns = [], []
        for _ in range(TURNS):
            if world.rank == 0:
                rates.append(alone(n, each))
            comm.barrier()  # it sleeps, as others of MPI may not
            turns.append(world.gather(measured(comm, n, each)))
        if world.rank == 0:
            best = np.max(rates, axis=0)
            row = told(n, world.size, best_turn(turns), best, os.cpu_count(), ", MPI")
            print(row, flush=True)


# --- by the model ---------------------------------------------------------------------


def seconds(t):
    return f"{1e3 * t:.3g} ms" if t < 1 else f"{t:.3g} s"


def print_model(tokens, flops):
    int8 = Int8()
    print(f"\nBy the model: memory {MEMORY / 1e9:g} GB/s, {tokens:,} tokens a rank and "
          f"step, {flops:.0e} operations/s")  # fmt: skip
    for n in SIZES:
        passes = 6 * n * tokens / flops
        print(f"\nN = {n:.0e}: passes {seconds(passes)}\n\n"
              "| network | ranks | exchange | copies | step | share | H | H, 8 bits |\n"
              "|---|---:|---:|---:|---:|---:|---:|---:|")  # fmt: skip
        for name, link in NETWORKS.items():
            at = Machine(*link, MEMORY, MEMORY)
            for ranks in RANKS:
                c = cost(n, ranks, at)
                n_bytes = int8.n_bytes(n, np.dtype(np.float32))
                hs = (least_every(n, ranks, at, passes, n_bytes=b)
                      for b in (None, n_bytes))  # fmt: skip
                cells = [name, str(ranks), *map(seconds, c)]
                cells += [f"{100 * passes / (passes + c.total):.0f} %", *map(str, hs)]
                print("| " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=float, nargs="+", default=[1e6, 1e7])
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=100, help="K")
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--flops", type=float, default=1e12)
    parser.add_argument("--mpi", action="store_true", help="the ranks of mpiexec")
    parser.add_argument("--only-model", action="store_true")
    given = parser.parse_args()
    sizes = [int(n) for n in given.n]
    if given.mpi:
        print_over_mpi(sizes, given.rounds)
        return
    if not given.only_model:
        print_measured(sizes, given.ranks, given.rounds)
    print_model(given.tokens, given.flops)


if __name__ == "__main__":
    main()
