"""The threads of a rank, where several ranks share the processors of a host."""

from __future__ import annotations

import os
import platform

from lrcore.distributed import _words
from lrcore.distributed._protocol import Comm


def of_rank(comm: Comm, threads: int) -> int:
    """Return the threads of this rank by default.

    All ranks call this.  Where a launcher has given each rank processors of its own, as
    Slurm and ``mpiexec --bind-to`` do, it has all of these; otherwise, the ranks of a
    host share theirs evenly.

    threads : those that the rank would have if it were alone.
    """
    host, own = platform.node(), _processors()
    found = [cpus for name, cpus in _words.of_all(comm, [host, own]) if name == host]
    there = {cpu for cpus in found for cpu in cpus}
    return max(threads * len(there) // sum(map(len, found)), 1)


def _processors() -> list[int]:
    """Return the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return sorted(os.sched_getaffinity(0))
    return [*range(os.cpu_count() or 1)]
