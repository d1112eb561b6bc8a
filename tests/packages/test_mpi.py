"""Ranks of MPI: the five calls, and ranks that are lost.  Needs mpi4py and an MPI."""

import subprocess
import sys
from hashlib import sha256
from textwrap import dedent

import mpiexec
import pytest
from mpiexec import ENVIRONMENT
from ranks import ranks as in_shared_memory
from ranks import train

import lrcore

mpiexec.needed()

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
    return subprocess.run(
        mpiexec.command(n, "-c", dedent(BEGIN) + dedent(code)),
        env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout,
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
    for r in range(n):  # the lines of ranks may be mixed up
        assert f"fine: <MPIComm: rank {r} of {n}>" in done.stdout


def test_one_process_without_mpiexec():
    done = subprocess.run(
        [sys.executable, "-c", dedent(BEGIN) + dedent(CALLS)],
        env=ENVIRONMENT, capture_output=True, text=True,
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


# --- optimizers -----------------------------------------------------------------------

TRAIN = """
    from ranks import alone, arrays, content, gradient, make, train
    import hashlib
    mpi = MPI.COMM_WORLD
    for name, hyper in [
        ("AdamW", dict(clip_norm=1.0, telemetry=True, ema_decay=0.9)),
        ("Muon", {}), ("Adafactor", {}), ("LAMB", {}), ("DoG", {}), ("SPS", {}),
    ]:
        found = train(comm, name, hyper, 3, 2)
        if comm.rank == 0:
            print(name, hashlib.sha256(repr(found).encode()).hexdigest())
"""


def test_the_same_bits_on_any_number_of_ranks():
    done = [ranks(n, TRAIN) for n in (1, 2, 3)]
    assert all(each.returncode == 0 for each in done), done[-1].stderr
    assert done[0].stdout == done[1].stdout == done[2].stdout
    assert len(done[0].stdout.splitlines()) == 6


def test_shared_memory_has_the_same_bits():
    found = in_shared_memory(2, train, "AdamW", {}, 2)
    digest = sha256(repr(found[0]).encode()).hexdigest()
    code = TRAIN.partition("for name")[0] + (
        "found = train(comm, 'AdamW', {}, 2)\n"
        "    print(hashlib.sha256(repr(found).encode()).hexdigest())"
    )
    assert ranks(2, code).stdout.count(digest) == 2


ONE = """
    params = {"w": np.ones(3)}
    opt = lrcore.SGD(params, lr=0.5, comm=MPI.COMM_WORLD)
    opt.step({"w": np.full(3, 1.0 + opt.comm.rank)})
    if opt.comm.rank == 0:
        print(opt.comm, params["w"])
"""


@pytest.mark.parametrize(("n", "w"), [(1, "[0.5 0.5 0.5]"), (2, "[0.25 0.25 0.25]")])
def test_the_world_is_a_comm(n, w):
    done = ranks(n, ONE)
    assert done.stdout == f"<MPIComm: rank 0 of {n}> {w}\n", done.stderr


def test_one_process_steps_without_mpiexec():
    done = subprocess.run(
        [sys.executable, "-c", dedent(BEGIN) + dedent(ONE)],
        env=ENVIRONMENT, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.stdout == "<MPIComm: rank 0 of 1> [0.5 0.5 0.5]\n", done.stderr


def test_ranks_that_are_not_alike():
    code = """
    try:
        lrcore.AdamW(np.ones(3), lr=0.1 + comm.rank, comm=comm)
    except ValueError as error:
        found = MPI.COMM_WORLD.gather(str(error))
    if comm.rank == 0:
        print(*found, sep="\\n")
    """
    done = ranks(2, code)
    line = "param_groups[0]: lr: expected the same on every rank, found "
    assert done.stdout.startswith(line), done.stderr
    assert len(set(done.stdout.splitlines())) == 1
    assert len(done.stdout.splitlines()) == 2


SAVE = """
    from ranks import arrays, content, gradient, make
    path, begins, then = sys.argv[1], sys.argv[2] == "0", int(sys.argv[3])
    params = arrays(0)
    opt, mine = make(comm, "AdamW", 4, params, clip_norm=1.0)
    if not begins:
        for p in params.values():
            p[...] = 0
        opt.load(path)
    while opt.t < then:
        for i in mine:
            opt.step(gradient(opt.t, i))
    opt.save(path)
    import hashlib
    if comm.rank == 0:
        print(hashlib.sha256(repr(content(params)).encode()).hexdigest())
"""


def test_checkpoints(tmp_path):
    def run(n, *args):
        words = repr(["-c", str(tmp_path / "run.safetensors"), *map(str, args)])
        done = ranks(n, f"sys.argv = {words}\n" + dedent(SAVE))
        assert done.returncode == 0, done.stderr
        return done.stdout

    wanted = run(1, 0, 4)
    for n, m in ((3, 2), (2, 4)):
        run(n, 0, 2)
        assert run(m, 1, 4) == wanted


@pytest.mark.parametrize("call", range(2, 12, 3))
def test_a_rank_that_is_killed_in_a_step_or_a_save(call, tmp_path):
    path = tmp_path / "run.safetensors"
    code = f"""
    sys.argv = ["-c", {str(path)!r}, "0", "2"]
    from lrcore.distributed import _calls
    wait, calls = _calls.Calls._wait, 0
    def counted(self, *args):
        global calls
        calls += opt_is_made
        if calls == {call} and self.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        wait(self, *args)
    _calls.Calls._wait, opt_is_made = counted, False
    """
    steps = dedent(SAVE).replace("while", "opt.save(path); opt_is_made = True\nwhile")
    done = ranks(2, dedent(code) + steps)
    assert done.returncode != 0
    found = lrcore.checkpoint.read(path)
    assert found.step in (0, 2)


def test_arrays_that_come_one_by_one():
    code = """
    from ranks import arrays, content, gradient
    found = []
    for one_by_one in (False, True):
        params = arrays(0)
        opt = lrcore.AdamW(params, comm=comm, clip_norm=1.0)
        for step in range(3):
            grads = gradient(step, comm.rank)
            if one_by_one:
                done = [opt.step_one(name, grads[name]) for name in grads]
            else:
                opt.step(grads)
        found.append(content(params))
    sys.stdout.write(f"{found[0] == found[1]} {done}\\n")  # in one piece
    """
    done = ranks(2, code)
    line = f"True {[False] * 5 + [True]}"
    assert done.stdout.count(line) == 2, done.stderr


def test_other_calls(tmp_path):
    code = f"""
    import other_calls
    found = MPI.COMM_WORLD.gather(other_calls.made(comm, {str(tmp_path)!r}))
    if comm.rank == 0:
        other_calls.check(found)
    """
    done = ranks(3, code)
    assert (done.returncode, done.stderr) == (0, "")


def test_arrays_one_by_one_in_another_order():
    code = """
    from ranks import arrays, content, gradient, one_by_one
    params, order = arrays(0), [*arrays(0)]
    opt = lrcore.AdamW(params, comm=comm)
    try:
        one_by_one(opt, gradient(0, 0), order[::-1] if comm.rank == 1 else order)
    except ValueError as error:
        assert str(error).startswith("order of step_one: expected the same on every")
        assert content(params) == content(arrays(0))
        one_by_one(opt, gradient(0, 0), order)
        sys.exit(opt.t - 1)
    sys.exit(1)
    """
    done = ranks(3, code)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_process_outside_a_communicator():
    ended = ranks(
        2,
        """
        color = MPI.UNDEFINED if comm.rank else 0
        part = MPI.COMM_WORLD.Split(color)
        for null in (part, MPI.COMM_NULL) if comm.rank else ():
            try:
                lrcore.SGD(np.ones(3), comm=null)
            except ValueError as error:
                print(str(error)[:70])
        if not comm.rank:
            assert lrcore.SGD(np.ones(3), comm=part).step(np.ones(3))
        """,
    )
    assert ended.returncode == 0, ended.stderr
    words = "comm: expected a communicator that this process belongs to, found COMM"
    assert ended.stdout.splitlines() == [words[:70]] * 2


def test_an_argument_that_one_rank_refuses():
    ended = ranks(
        3,
        """
        try:
            lrcore.SGD(np.ones(3), lr=-1.0 if comm.rank == 1 else 1.0, comm=comm)
        except (ValueError, RuntimeError) as error:
            sys.exit(0 if "lr: expected a finite number >= 0" in str(error) else 1)
        sys.exit(1)
        """,
    )
    assert ended.returncode == 0, ended.stderr
