"""Ranks of MPI that end before the others, and one communicator for many optimizers."""

import subprocess
from textwrap import dedent

import mpiexec
import pytest

mpiexec.needed()

BEGIN = """
    import os, sys, threading, time
    import numpy as np
    from mpi4py import MPI
    import lrcore
    from lrcore.distributed import MPIComm, RankLostError
    world = MPI.COMM_WORLD
"""


def ranks(n, code, ends_all=False):
    """Run code in n ranks, by itself without -m mpi4py; return the finished process.

    No rank waits as long as a timeout, of 300 seconds.
    """
    return subprocess.run(
        mpiexec.command(n, "-c", dedent(BEGIN) + dedent(code), ends_all=ends_all),
        env=mpiexec.ENVIRONMENT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


# --- ranks that end -------------------------------------------------------------------

STEPS = """
    w = np.zeros(3)
    opt = lrcore.SGD(w, lr=0.1, comm=world)
    for step in range(3):
        if step == 2 and world.rank == 1:
            {end}
        opt.step(np.ones(3))
"""


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("raise ValueError('odd')", ", by ValueError: odd"),
        ("raise ValueError(1000 * 'odd')", ", by ValueError: oddodd"),
        ("raise ValueError('ödd')", ", by ValueError: ödd"),
        ("raise KeyboardInterrupt", ", by KeyboardInterrupt\n"),
        (
            "raise type('OddError', (Exception,), {'__str__': None})",
            ", by OddError: <ex",
        ),
        ("sys.exit(0)", "\n"),
        ("sys.exit(3)", "\n"),
        ("break", "\n"),
    ],
)
def test_a_rank_that_ends_is_told_to_the_others(end, words):
    done = ranks(2, STEPS.format(end=end))
    assert done.returncode != 0
    line = "RankLostError: rank 0 of 2: rank 1 has ended before this allgather"
    assert line + words in done.stderr


def test_an_exit_code_with_m_mpi4py():
    """-m mpi4py ends the job by it; the others are told at once, without it, too."""
    done = ranks(2, STEPS.format(end="sys.exit(3)"), ends_all=True)
    assert done.returncode != 0
    line = "RankLostError: rank 0 of 2: rank 1 has ended before this allgather"
    assert line in done.stderr


@pytest.mark.parametrize("ends_all", [False, True])
def test_the_error_itself_is_told_too(ends_all):
    done = ranks(3, STEPS.format(end="raise ValueError('odd')"), ends_all)
    assert done.returncode != 0
    assert "\nValueError: odd" in done.stderr


@pytest.mark.parametrize(
    ("timeout", "words"), [(300, "rank 1 has ended before"), (0.5, "within 0.5 sec")]
)
def test_tests_of_a_request_that_take_long(timeout, words):
    """As if bytes moved: the wait does not sleep, but still looks at the others."""
    code = f"""
    from lrcore.distributed import _requests
    _requests._MOVING = -1.0
    comm = MPIComm(world, {timeout})
    if comm.rank == 1:
        time.sleep({3 if timeout < 1 else 0})
        sys.exit()
    comm.barrier()
    """
    done = ranks(2, code)
    assert done.returncode != 0
    assert words in done.stderr


def test_a_rank_may_end_when_it_has_made_its_calls():
    """Others may complete the last one later: here rank 0, which waits so long."""
    code = """
    comm = MPIComm(world)
    wait = comm._calls._wait
    def late(*args):
        while 1 not in comm._news.ended:
            comm.signals()
        assert comm.signals() == [0, 0, 0]
        wait(*args)
    if comm.rank == 0:
        comm._calls._wait = late
    n = [[0, 0, 0], [0, 0, 0], [5, 0, 0]]
    sends, receives = n[comm.rank], [each[comm.rank] for each in n]
    sent, room = np.full(sum(sends), 7, np.uint8), np.zeros(sum(receives), np.uint8)
    comm.exchange(sent, sends, room, receives)
    assert (room == 7).all()
    """
    done = ranks(3, code)
    assert (done.returncode, done.stderr) == (0, "")


def test_all_end_in_peace_at_other_times():
    code = """
    comms = [MPIComm(world), MPIComm(world.Split(world.rank % 2))]
    comms[1].signal(5)
    time.sleep(0.4 * world.rank)
    """
    done = ranks(3, code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_mpi_may_be_finalized_before_the_end():
    done = ranks(2, "MPIComm(world).barrier()\nMPI.Finalize()")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_forked_child_tells_no_end():
    code = """
    import atexit
    comm = MPIComm(world)
    child = os.fork()
    if not child:
        comm._news.end = lambda *told: os._exit(1)
        atexit._run_exitfuncs()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    """
    done = ranks(2, code)
    assert (done.returncode, done.stderr) == (0, "")


def test_signals_show_who_has_ended():
    code = """
    comm = MPIComm(world)
    comm.signal(4 + comm.rank)
    comm.barrier()
    if comm.rank == 1:
        sys.exit()
    while comm.signals() != [4, -1]:
        time.sleep(1e-3)
    try:
        comm.barrier()
    except RankLostError as error:
        print(error)
    """
    done = ranks(2, code)
    assert done.stdout == "rank 0 of 2: rank 1 has ended before this barrier\n"


def test_a_call_that_is_interrupted_ends_those_of_its_rank(tmp_path):
    """What MPI still writes has a place, and no other call meets it."""
    code = f"""
    import signal
    from pathlib import Path
    told = Path({str(tmp_path)!r}, str(world.rank))  # what is printed may be lost
    def stop(*_):
        raise InterruptedError
    comm = MPIComm(world)
    if comm.rank == 1:
        signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
    else:
        time.sleep(1)
    for _ in range(3):
        try:
            lrcore.SGD(np.ones(3), comm=comm)
        except InterruptedError:
            pass
        except RankLostError as error:
            told.write_text(str(error))
            sys.exit()
    """
    ranks(2, code)
    zero, one = ((tmp_path / str(r)).read_text() for r in range(2))
    assert one.startswith("rank 1 of 2: an earlier call has failed, so this allgather ")
    assert zero == "rank 0 of 2: rank 1 has ended before this allgather"


@pytest.mark.parametrize(("k", "begun"), [(1, True), (2, False), (2, True), (3, False)])
def test_a_rank_that_leaves_a_step_makes_no_other_call(k, begun, tmp_path):
    """Its call is the head, the exchange or the gathering of the params."""
    code = f"""
    from pathlib import Path
    from ranks import arrays, gradient, interrupt
    told = Path({str(tmp_path)!r}, str(world.rank))
    comm = MPIComm(world)
    opt = lrcore.AdamW(arrays(0), comm=comm)
    opt.step(gradient(0, comm.rank))
    if comm.rank == 1:
        interrupt(comm, {k}, {begun})
    try:
        try:
            opt.step(gradient(1, comm.rank))
            comm.barrier()
        except KeyboardInterrupt:
            opt.state_dict()
    except RankLostError as error:
        told.write_text(str(error))
    """
    ranks(2, code)
    zero, one = ((tmp_path / str(r)).read_text() for r in range(2))
    assert one.startswith("rank 1 of 2 has left the other ranks in the middle of a ")
    assert zero.startswith("rank 0 of 2: rank 1 has ended before this ")


# --- one duplicate for all ------------------------------------------------------------


def test_all_optimizers_of_a_communicator_have_the_same_comm():
    code = """
    part = world.Split(0)
    one, other, third, fourth = (
        lrcore.SGD(np.ones(3), comm=comm)
        for comm in (world, MPI.Intracomm(world), part, world.Dup())
    )
    assert one.comm is other.comm
    assert len({one.comm, third.comm, fourth.comm, MPIComm(world)}) == 4
    assert isinstance(one.comm, MPIComm)
    """
    done = ranks(2, code)
    assert (done.returncode, done.stderr) == (0, "")


def test_more_optimizers_than_mpich_has_communicators():
    code = """
    for _ in range(2_200):
        opt = lrcore.SGD(np.ones(3), comm=world)
    print(opt.step(np.ones(3)))
    """
    done = ranks(1, code)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_communicator_that_is_freed_frees_its_duplicate():
    """It waits for the ranks, and takes what they have told, which nobody has heard."""
    code = """
    part = world.Split(0)
    opt = lrcore.SGD(np.ones(3), comm=part)
    assert opt.step(np.ones(3))
    opt.comm.signal(5)
    time.sleep(0.2 * world.rank)
    part.Free()
    for call in (opt.comm.barrier, opt.comm.signals, lambda: opt.step(np.ones(3))):
        try:
            call()
        except RuntimeError as error:
            assert "its communicator has been freed, by close or" in str(error)
        else:
            sys.exit(1)
    opt.comm.close()
    """
    done = ranks(3, code)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("freed", ["MPIComm(world).close()", "of_communicator(part)"])
def test_more_duplicates_in_turn_than_mpich_has_communicators(freed):
    code = f"""
    from lrcore.distributed._attribute import of_communicator
    for _ in range(2_200):
        part = world.Dup()
        {freed}
        part.Free()
    """
    done = ranks(1, code)
    assert (done.returncode, done.stderr) == (0, "")


def test_another_duplicate_after_close():
    code = """
    lrcore.SGD(np.ones(3), comm=world).comm.close()
    assert lrcore.SGD(np.ones(3), comm=world).step(np.ones(3))
    """
    done = ranks(2, code)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_rank_that_does_not_close():
    code = """
    comm = MPIComm(world)
    opt = lrcore.SGD(np.ones(3), comm=comm)
    try:
        comm.close() if world.rank == 1 else opt.step(np.ones(3))
    except ValueError as error:
        assert "found close on rank 1 and step on rank 0" in str(error)
    else:
        sys.exit(1)
    assert opt.step(np.ones(3))
    comm.close()
    """
    done = ranks(3, code)
    assert (done.returncode, done.stderr) == (0, "")


def test_two_threads_in_calls_of_one_comm():
    code = """
    comm = MPIComm(world)
    first = threading.Thread(target=comm.barrier)
    if comm.rank == 0:
        first.start()
        while not comm._calls.free.locked():  # it waits for the other rank
            time.sleep(1e-3)
        try:
            comm.barrier()
        except RuntimeError as error:
            print(error)
        world.barrier()
        first.join()
    else:
        world.barrier()
        comm.barrier()
    """
    done = ranks(2, code)
    words = "rank 0 of 2 is in another call, of another thread: let one thread use"
    assert done.stdout.startswith(words), done.stderr
    assert done.returncode == 0
