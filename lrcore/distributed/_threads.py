"""The threads of a rank, where several ranks share the processors of a host.

What counts, and where it is read:

- the processors that a launcher has bound the rank to (``srun``, ``mpiexec --bind-to``,
  by hwloc), or that a cpuset leaves it: its affinity;
- the CPU quotas of its control groups, with the ranks that are in the same group;
- ``SLURM_CPUS_PER_TASK``, for clusters whose Slurm does not bind tasks.

The core itself follows ``OMP_NUM_THREADS`` and ``OMP_THREAD_LIMIT``; an optimizer whose
user has set the former, or a number of threads, does not ask here.
"""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from lrcore._shared import omp, quota
from lrcore.distributed import _words
from lrcore.distributed._protocol import Comm

_SLURM = "SLURM_CPUS_PER_TASK"

Seat = Sequence[Any]
"""Where a rank runs: its host, its processors, and its quotas by control group."""


def of_rank(comm: Comm, threads: int) -> int:
    """Return the threads of this rank by default.

    All ranks call this.

    threads : those that the rank would have if it were alone.
    """
    return share(comm.rank, _words.of_all(comm, seat()), threads)


def seat(
    boot: Path = Path("/proc/sys/kernel/random/boot_id"),
    quotas: Sequence[quota.Limit] | None = None,
) -> Seat:
    """Return where this process runs.

    The host is the running kernel's: containers of one machine have other names, and
    machines may have the same.

    boot : the file that names the run of a kernel, which Linux has.
    """
    try:
        host = boot.read_text("ascii").strip()
    except (OSError, ValueError):
        host = platform.node()
    limits = quota.limits() if quotas is None else quotas
    return [host, _processors(), {limit.group: limit.cpus for limit in limits}]


def share(
    rank: int,
    seats: Sequence[Seat],
    threads: int,
    environment: Mapping[str, str] = os.environ,
) -> int:
    """Return how many threads a rank has, so that no processor has more than one.

    A processor that k ranks may use counts as 1 / k for each of them, and a quota is
    shared evenly by the ranks of its group.

    seats : of all ranks.
    threads : those that the rank would have if it were alone.
    """
    host, processors, quotas = seats[rank]
    beside = [seat for seat in seats if seat[0] == host]
    users = Counter(cpu for _, cpus, _ in beside for cpu in cpus)
    members = Counter(group for *_, groups in beside for group in groups)
    most = [
        threads,
        sum(Fraction(1, users[cpu]) for cpu in processors),
        *(Fraction(cpus, members[group]) for group, cpus in quotas.items()),
    ]
    of_task = omp.number(_SLURM, environment)
    if of_task is not None:
        most.append(of_task)
    return max(int(min(most)), 1)


def _processors() -> list[int]:
    """Return the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return sorted(os.sched_getaffinity(0))
    return [*range(os.cpu_count() or 1)]
