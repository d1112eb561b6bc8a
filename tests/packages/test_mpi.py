"""Ranks of MPI: the five calls, and ranks that are lost.  Needs mpi4py and an MPI."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from shutil import which
from textwrap import dedent

import pytest

pytest.importorskip("mpi4py")

ROOT = Path(__file__).parents[2]
MPIEXEC = which("mpiexec", path=sysconfig.get_path("scripts")) or which("mpiexec")

if MPIEXEC is None:
    pytest.skip("there is no mpiexec", allow_module_level=True)

BEGIN = """
    import os, signal, sys, time
    import numpy as np
    from mpi4py import MPI
    import lrcore
    from lrcore.distributed import MPIComm, RankLostError
    comm = MPIComm(MPI.COMM_WORLD, timeout=20)
"""


def ranks(n, code, timeout=60):
    """Run code in n ranks; return the finished process."""
    path = os.environ.get("PYTHONPATH", "")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests"), path]),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [MPIEXEC, "-n", str(n), sys.executable, "-m", "mpi4py", "-c",
         dedent(BEGIN) + dedent(code)],
        env=environment, capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip


CALLS = """
    counts = (7 * np.arange(comm.size)[:, None] + 3 * np.arange(comm.size)) % 5 * 11
    sends, receives = counts[comm.rank], counts[:, comm.rank]
    sent = np.repeat(10 * comm.rank + np.arange(comm.size), sends).astype(np.uint8)
    received = np.zeros(receives.sum(), np.uint8)
    comm.exchange(sent, sends.tolist(), received, receives.tolist())
    wanted = np.repeat(10 * np.arange(comm.size) + comm.rank, receives)
    assert received.tolist() == wanted.tolist()

    counts = [(5 * r) % 4 for r in range(comm.size)]
    received = np.zeros(sum(counts), np.uint8)
    comm.allgather(np.full(counts[comm.rank], comm.rank, np.uint8), received, counts)
    assert received.tolist() == np.repeat(np.arange(comm.size), counts).tolist()

    each = 1e17 * np.random.default_rng(1).standard_normal((comm.size, 9))
    numbers, wanted = each[comm.rank].copy(), each[0].copy()
    for theirs in each[1:]:
        wanted += theirs
    comm.sum(numbers)
    assert numbers.tobytes() == wanted.tobytes()
    comm.barrier()
    assert isinstance(comm, lrcore.distributed.Comm)
    print(f"fine: {comm!r}")
"""


@pytest.mark.parametrize("n", [1, 3])
def test_the_calls(n):
    done = ranks(n, CALLS)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split("\n")[:-1]) == [
        f"fine: <MPIComm: rank {r} of {n}>" for r in range(n)
    ]


def test_one_process_without_mpiexec():
    done = subprocess.run(
        [sys.executable, "-c", dedent(BEGIN) + dedent(CALLS)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "fine: <MPIComm: rank 0 of 1>\n"


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_rank_that_is_killed_ends_the_job(where):
    kill = "if comm.rank == 1: os.kill(os.getpid(), signal.SIGKILL)\n"
    before, after = (kill, "") if where == "before" else ("", kill)
    done = ranks(3, f"{before}comm.barrier()\n{after}comm.barrier()\nprint('past')")
    assert done.returncode != 0
    assert "past" not in done.stdout


def test_an_error_of_a_rank_ends_the_job():
    done = ranks(2, "if comm.rank == 1: raise ValueError('odd')\ncomm.barrier()")
    assert done.returncode != 0
    assert "ValueError: odd" in done.stderr


def test_a_rank_that_hangs_is_given_up():
    code = """
    comm.timeout = 0.5
    if comm.rank == 1:
        time.sleep(60)
    comm.barrier()
    """
    done = ranks(2, code, timeout=30)
    assert done.returncode != 0
    assert "RankLostError: rank 0 of 2: the other ranks have not all" in done.stderr


def test_what_is_no_communicator():
    done = ranks(1, "MPIComm(3)")
    assert "TypeError: comm: expected a communicator of mpi4py" in done.stderr
