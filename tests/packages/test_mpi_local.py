"""`LocalSGD` over MPI: the same bits as over shared memory, and late ranks."""

import hashlib
import json
import subprocess
from textwrap import dedent

import mpiexec
import numpy as np
import pytest

import lrcore
from lrcore.distributed import run_ranks

mpiexec.needed()


def train(comm, codec):
    """Train on a rank, whichever the group; return a digest of the params."""
    rng = np.random.default_rng(comm.rank)
    p = {"W": np.ones((40, 50), np.float32), "b": np.ones(9)}
    local = lrcore.LocalSGD(lrcore.AdamW(p, lr=0.01), 3, comm=comm, codec=codec)
    for _ in range(7):
        noise = rng.normal(size=p["W"].shape).astype(np.float32)
        local.step({"W": p["W"] + noise, "b": p["b"] + rng.normal()})
    local.finish()
    return hashlib.sha256(p["W"].tobytes() + p["b"].tobytes()).hexdigest()


def ranks(n, code, timeout=60):
    """Run code in n ranks; return what each has printed as JSON."""
    begin = """
    import json, sys, time
    import numpy as np
    from mpi4py import MPI
    import lrcore
    comm = MPI.COMM_WORLD
    """
    done = subprocess.run(
        mpiexec.command(n, "-c", dedent(begin) + dedent(code)),
        env=mpiexec.ENVIRONMENT, capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found, rest = [], done.stdout.strip()
    while rest:  # mpiexec may put values of several ranks into one line
        value, end = json.JSONDecoder().raw_decode(rest)
        found.append(value)
        rest = rest[end:].strip()
    return found


@pytest.mark.parametrize(("n", "codec"), [(1, None), (2, "int8"), (3, None)])
def test_the_same_bits_as_over_shared_memory(n, codec):
    code = f"""
    import test_mpi_local
    print(json.dumps(test_mpi_local.train(comm, {codec!r})), flush=True)
    """
    wanted = run_ranks(n, train, codec, method="fork", timeout=20)
    assert ranks(n, code) == wanted


def test_a_late_rank_is_left_out():
    """Rank 2 is slower than the others by far; its steps are not lost."""
    code = """
    w = np.zeros(3)
    local = lrcore.LocalSGD(lrcore.SGD(w, lr=1.0), 3, comm=comm, quorum=2)
    without = 0
    for t in range(12):
        if comm.rank == 2:
            time.sleep(0.1)
        rounds = local.rounds
        local.step(np.full(3, -1.0))
        without += local.rounds > rounds and 2 not in local.last.included
    local.finish()
    print(json.dumps([w.tolist(), local.rounds, without > 0]), flush=True)
    """
    found = ranks(3, code)
    assert len({str(each[:2]) for each in found}) == 1
    assert any(each[2] for each in found)


def test_ranks_that_differ():
    code = """
    try:
        lrcore.LocalSGD(lrcore.SGD(np.full(3, float(comm.rank == 1))), 2, comm=comm)
    except ValueError as error:
        print(json.dumps(str(error)), flush=True)
    """
    (message,) = {*ranks(3, code)}
    assert "found others on rank 1 than on rank 0" in message


def test_teams_of_two_ranks():
    """Those of rank 0 and 1, and of 2 and 3, step together."""
    code = """
    team = comm.Split(comm.rank // 2, comm.rank)
    place = comm.Split(comm.rank % 2, comm.rank)
    p = np.zeros(5000)
    opt = lrcore.SGD(p, lr=1.0, comm=team)
    local = lrcore.LocalSGD(opt, 2, lambda q: lrcore.SGD(q, lr=1.0), comm=place)
    for _ in range(2):
        local.step(p - comm.rank)
    print(json.dumps([p.min(), p.max(), local.rounds]), flush=True)
    """
    assert ranks(4, code) == [[1.5, 1.5, 1]] * 4
