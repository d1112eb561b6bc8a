"""Forks: of a process that has stepped by several threads, and in the middle of a step.

Each in a process of its own, which a hang would end as a failure.
"""

import sys
import textwrap
from pathlib import Path

import pytest
from hanging import printed

from lrcore import _core

each_back_end = pytest.mark.parametrize("back_end", _core.threadings())


def python(script, **environment):
    """Return what a script prints."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)]
    return printed(command, **environment)


# --- between steps --------------------------------------------------------------------

BETWEEN = """
    import ctypes, os, numpy as np, lrcore
    fork = {fork}
    p = np.zeros(1_000_000, np.float32)
    g = np.ones_like(p)
    opt = lrcore.SGD(p, lr=1.0, num_threads=2)
    opt.step(g)
    child = fork()
    opt.step(g)
    if child == 0:
        os._exit(0 if (p == -2).all() else 1)
    opt.step(g)
    assert os.waitpid(child, 0)[1] == 0
    assert (p == -3).all()
    print("done")
"""
FORKS = {"python": "os.fork", "c": "ctypes.PyDLL(None).fork"}


@each_back_end
@pytest.mark.parametrize("fork", FORKS)
def test_a_forked_child_steps_too(fork, back_end):
    """A parallel region before and after a fork; libgomp alone would hang."""
    script = BETWEEN.format(fork=FORKS[fork])
    assert python(script, LRCORE_THREADING=back_end) == "done"


def another_runtime():
    """LLVM's OpenMP runtime, where it is installed."""
    libraries = Path("/usr/lib")
    found = [*libraries.glob("*-linux-gnu/libomp.so.5")]
    found += libraries.glob("llvm-*/lib/libomp.so.5")
    return found[0] if found else None


@pytest.mark.skipif(not _core.has_openmp(), reason="this build has no OpenMP")
@pytest.mark.skipif(another_runtime() is None, reason="libomp is not installed")
@pytest.mark.parametrize("fork", FORKS)
def test_a_child_of_another_runtime_under_libgomps_name_steps_too(fork, tmp_path):
    """As conda has it: LLVM's takes care of forks by itself, unless it is hindered."""
    (tmp_path / "libgomp.so.1").symlink_to(another_runtime())
    script = BETWEEN.format(fork=FORKS[fork])
    script += '    assert "libomp" in open("/proc/self/maps").read()\n'
    found = python(script, LD_LIBRARY_PATH=str(tmp_path), LRCORE_THREADING="openmp")
    assert found == "done"


# --- in the middle of a step ----------------------------------------------------------

# A thread is in the middle of a step: where a schedule is asked, or deeper, where the
# core asks for the numbers that are made of all gradients.
MIDDLE = """
    import os, threading, numpy as np, lrcore

    inside, go_on = threading.Event(), threading.Event()
    blocks = False

    def wait():
        if blocks:
            inside.set()
            go_on.wait()

    class Waiting(lrcore.DoG):
        "DoG that waits in the middle of a step."
        __slots__ = ()

        @staticmethod
        def _fold(h):
            adapt = lrcore.DoG._fold(h)
            def coefs(*args):
                wait()
                return adapt(*args)
            return coefs

    def rate(t):
        wait()
        return 0.5

    def optimizer(p):
        return {optimizer}

    p = np.ones({n}, np.float32)
    g = np.full_like(p, 0.25)
    opt = optimizer(p)
    opt.step(g)
    saved, there = opt.state_dict(), p.copy()
    opt.step(g)
    want = p.copy()
    opt.load_state_dict(saved)
    p[...] = there

    def refused(f):
        try:
            f()
        except RuntimeError as error:
            return str(error)
        raise AssertionError("it was not refused")
"""
PLACES = {"schedule": "lrcore.SGD(p, lr=rate, momentum=0.9, num_threads=2)"}
PLACES["gauge"] = "Waiting(p, num_threads=2)"
each_place = pytest.mark.parametrize("place", PLACES)


@each_place
@pytest.mark.parametrize("n", [10, 200_000])
def test_an_optimizer_forked_in_the_middle_of_a_step_can_be_loaded(place, n):
    """Another thread was, which the child does not have."""
    script = (
        MIDDLE.format(optimizer=PLACES[place], n=n)
        + """
    blocks = True
    thread = threading.Thread(target=opt.step, args=(g,), daemon=True)
    thread.start()
    inside.wait()
    assert not opt._plan.lock.torn
    assert refused(lambda: opt.step(g)) == "this optimizer is in the middle of a step"
    child = os.fork()
    blocks = False
    if child == 0:
        try:
            assert opt._plan.lock.torn
            def set_scale():
                opt.grad_scale = 0.5
            for f in (lambda: opt.step(g), opt.state_dict, set_scale):
                assert "restore the params, then load_state_dict()" in refused(f)
            for bad in ({}, {**saved, "t": -1}):
                try:
                    opt.load_state_dict(bad)
                except ValueError:
                    assert opt._plan.lock.torn
                else:
                    raise AssertionError("it was not refused")
            p[...] = there
            opt.load_state_dict(saved)
            assert not opt._plan.lock.torn
            assert opt.step(g) and opt.t == 2 and (p == want).all()
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    assert not opt._plan.lock.torn
    go_on.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert opt.t == 2 and (p == want).all()
    assert opt.step(g)
    print("done")
    """
    )
    assert python(script) == "done"


def test_loading_is_refused_where_no_fork_tore_the_step():
    script = (
        MIDDLE.format(optimizer=PLACES["gauge"], n=10)
        + """
    blocks = True
    thread = threading.Thread(target=opt.step, args=(g,))
    thread.start()
    inside.wait()
    assert "middle of a step" in refused(lambda: opt.load_state_dict(saved))
    go_on.set()
    thread.join()
    assert (p == want).all()
    print("done")
    """
    )
    assert python(script) == "done"


@each_place
def test_a_step_that_forks_goes_on_in_both(place):
    """The thread that steps forks, and is the child's."""
    script = (
        MIDDLE.format(optimizer=PLACES[place], n=10)
        + """
    child = None

    def wait():
        global child
        if child is None:
            child = os.fork()
            assert not opt._plan.lock.torn
            assert refused(lambda: opt.step(g)).endswith("in the middle of a step")
            assert refused(lambda: opt.load_state_dict(saved)).endswith("of a step")

    try:
        assert opt.step(g) and opt.t == 2 and (p == want).all()
        assert opt.step(g)
    except BaseException as error:
        print(repr(error), flush=True)
        os._exit(1)
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    print("done")
    """
    )
    assert python(script) == "done"
