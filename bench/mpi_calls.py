"""Calls of MPI beside persistent ones: mpiexec -n 2 python bench/mpi_calls.py.

MPI-4 can set a collective up once, with its buffers and counts, and start it again and
again.  `MPIComm` begins nonblocking ones anew each time, with counts that it keeps, as
its callers may pass other arrays.  The same calls in turns, waited for alike:

now         as `MPIComm` makes them
persistent  started again, on the caller's own arrays, which have to stay the same
copied      the same from and into arrays of the communicator, whatever the caller's

A row is of the slower rank: the median of K rounds (--rounds) in microseconds.
"""

import argparse

import numpy as np
from mpi4py import MPI
from overlap import in_turns

from lrcore.distributed import MPIComm, _requests

SIZES = [8, 1 << 10, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24]
WAYS = ("now", "persistent", "copied")


class Calls:
    """The calls in which a rank sends n bytes to each."""

    def __init__(self, comm, n):
        self.comm, self.counts = comm, [n] * comm.size
        self.one, self.own_one = np.zeros((2, n), np.uint8)
        self.each, self.own_each = np.zeros((2, n * comm.size), np.uint8)
        self.received, self.own_received = np.zeros((2, n * comm.size), np.uint8)
        out, into = (comm._parts(a, self.counts) for a in (self.each, self.received))
        self.exchange = comm._comm.Alltoallv_init(out, into)
        self.allgather = comm._comm.Allgatherv_init([self.one, MPI.BYTE], into)

    def exchanges(self):
        def now():
            self.comm.exchange(self.each, self.counts, self.received, self.counts)

        return now, *self._again(self.exchange, self.each, self.own_each)

    def allgathers(self):
        def now():
            self.comm.allgather(self.one, self.received, self.counts)

        return now, *self._again(self.allgather, self.one, self.own_one)

    def _again(self, request, sent, own):
        def persistent():
            request.Start()
            _requests.wait(request.Test, self.comm.timeout, lambda late: None)

        def copied():
            sent[...] = own
            persistent()
            self.own_received[...] = self.received

        return persistent, copied


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=400, help="K")
    rounds = parser.parse_args().rounds
    world = MPI.COMM_WORLD
    comm = MPIComm(world)
    if comm.rank == 0:
        print(MPI.Get_library_version().splitlines()[0].rstrip("\0"))
        print(f"{'':>10}{'exchange':>12}{'':>24}{'allgather':>12}")
        print(f"{'bytes':>10}" + "".join(f"{way:>12}" for way in 2 * WAYS))
    for n in SIZES:
        calls = Calls(comm, n)
        functions = [*calls.exchanges(), *calls.allgathers()]
        times = in_turns(
            comm, functions, rounds if n < 1 << 20 else max(rounds // 8, 1)
        )
        found = world.gather(np.median(times, axis=0))
        if comm.rank == 0:
            times = 1e6 * np.max(found, axis=0)
            print(f"{n:>10}" + "".join(f"{t:>12.1f}" for t in times), flush=True)


if __name__ == "__main__":
    main()
