"""Ranks of MPI in forked processes, and in several threads."""

import subprocess
from textwrap import dedent

import mpiexec

mpiexec.needed()

BEGIN = """
    import os
    import mpi4py
    mpi4py.rc.thread_level = {level!r}
    import numpy as np
    from mpi4py import MPI
    import lrcore
    params = {{"w": np.ones(3)}}
    opt = lrcore.SGD(params, lr=0.5, comm=MPI.COMM_WORLD)
"""


def run(code, level="multiple"):
    """Run code in 2 ranks, which have to end well."""
    done = subprocess.run(
        mpiexec.command(2, "-c", dedent(BEGIN.format(level=level)) + dedent(code)),
        env=mpiexec.ENVIRONMENT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_calls_in_a_forked_child():
    run("""
    child = os.fork()
    try:
        assert opt.step({"w": np.ones(3)}) and child
    except RuntimeError as error:
        words = f"this process was forked from rank {opt.comm.rank}, and is no rank"
        os._exit(0 if not child and str(error).startswith(words) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert (params["w"] == 0.5).all()
    """)


def test_calls_where_one_thread_may_call():
    code = """
    try:
        opt.step_one("w", np.ones(3))
    except RuntimeError as error:
        assert "MPI was initialized for calls of one thread" in str(error)
    else:
        raise AssertionError
    assert opt.step({"w": np.ones(3)})
    assert (params["w"] == 0.5).all()
    """
    run(code, "single")
    run(code, "funneled")


def test_calls_where_one_thread_at_a_time_may_call():
    run("assert opt.step_one('w', np.ones(3))", "serialized")


def test_calls_that_listen_in_two_threads():
    """Each message is taken once, and an old one does not replace a newer one."""
    run("""
    import threading
    comm = opt.comm
    def listen():
        while comm.signals()[1] < 20_000:
            pass
    if comm.rank == 0:
        threads = [threading.Thread(target=listen) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        for k in range(1, 20_001):
            comm.signal(k)
    comm.barrier()
    """)
