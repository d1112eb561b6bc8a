"""What runs a step in several threads, and that each gives the same."""

import sys
import threading

import numpy as np
import pytest
from compiled import NATIVE, ROOT
from interrupted import TRIALS
from threaded import BACK_ENDS, each, python, run

import lrcore


@pytest.fixture(autouse=True)
def _default():
    yield
    lrcore.set_threading(None)


# --- the choice -----------------------------------------------------------------------


@each
def test_a_back_end_can_be_set(back_end):
    lrcore.set_threading(back_end)
    assert lrcore.get_threading() == back_end
    assert (lrcore.get_num_threads() == 1) or back_end != "serial"
    assert lrcore.show_config("dict")["threading"] == back_end
    lrcore.set_threading(None)
    assert lrcore.get_threading() == BACK_ENDS[0]


@pytest.mark.parametrize("name", ["tbb", 3, "pool\0", b"pool", ["pool"]])
def test_an_unknown_back_end_is_refused(name):
    with pytest.raises(ValueError, match=r"threading: expected one of .*, found "):
        lrcore.set_threading(name)
    assert lrcore.get_threading() == BACK_ENDS[0]


@each
def test_the_environment_chooses_the_back_end(back_end):
    assert python("import lrcore; print(lrcore.get_threading())", back_end) == back_end


@each
@pytest.mark.parametrize("kind", ["AdamW", "LAMB", "Adafactor", "Prodigy"])
def test_no_result_depends_on_the_back_end(back_end, kind):
    """Of arrays, some of which are split; with norms, averages and a report."""
    rng = np.random.default_rng(3)
    shapes = [(700, 301), (5,), (200_001,), (64, 64)]
    options = {
        "clip_norm": 1.0,
        "ema_decay": 0.9,
        "telemetry": True,
        "agc": 0.1,
        "agc_axis": 0,
    }
    grads = [[rng.standard_normal(s).astype(np.float32) for s in shapes] for _ in "123"]

    def trained(name, threads):
        lrcore.set_threading(name)
        params = [np.ones(s, np.float32) for s in shapes]
        opt = getattr(lrcore, kind)(params, num_threads=threads, **options)
        for g in grads:
            opt.step(g)
        return [*params, *opt.ema, opt.report.grad_norm, opt.report.update_norm]

    for threads in (2, 3, 7):
        for a, b in zip(trained(back_end, threads), trained("serial", 1), strict=True):
            np.testing.assert_array_equal(a, b)


# --- the process ----------------------------------------------------------------------


THREADS = """
    import os, time, numpy as np, lrcore

    def threads():
        return len(os.listdir("/proc/self/task"))

    before = threads()
    p = np.zeros(200_000, np.float32)
    small, opt = (lrcore.SGD(a, lr=1.0, num_threads=3) for a in (p[:9], p))
    small.step(np.ones(9, np.float32))
    assert threads() == before, "a step of one thread made others"
    opt.step(np.ones_like(p))
    made = threads() - before
"""


def test_threads_are_made_by_the_first_step_that_needs_them_and_then_sleep():
    script = (
        THREADS
        + """
    assert made == 2
    time.sleep(0.1)
    began = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - began < 0.1, "threads without work are awake"
    opt.step(np.ones_like(p))
    assert threads() - before == 2
    print(p[-1])
    """
    )
    assert python(script) == "-2.0"


def test_a_child_makes_its_own():
    script = (
        THREADS
        + """
    child = os.fork()
    opt.step(np.ones_like(p))
    if child == 0:
        alone = threads() == 3
        os._exit(0 if alone and (p[9:] == -2).all() else 1)
    assert os.waitpid(child, 0)[1] == 0
    print(p[-1])
    """
    )
    assert python(script) == "-2.0"


def test_serial_makes_none():
    assert python(THREADS + "    print(made)", "serial") == "0"


@each
def test_python_threads_step_at_once(back_end):
    """They take turns in the pool or run alone, and none waits for another."""
    lrcore.set_threading(back_end)
    params = [np.zeros(150_000, np.float32) for _ in range(4)]
    opts = [lrcore.SGD(p, lr=1.0, num_threads=2, clip_norm=1e9) for p in params]
    g = np.ones_like(params[0])

    def steps(opt):
        for _ in range(50):
            opt.step(g)

    threads = [threading.Thread(target=steps, args=(opt,)) for opt in opts]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
        assert not t.is_alive()
    assert all((p == -50).all() for p in params)


CALLERS = ROOT / "tests/callers.py"
CHILDREN = str(max(TRIALS // 20, 1))
each_number = pytest.mark.parametrize("optimizers", ["1", "2"])


@each
@each_number
def test_two_callers_beside_forks(back_end, optimizers):
    """Each with an optimizer, or both with the same one; children step, too."""
    command = [sys.executable, "-W", "ignore", CALLERS, optimizers, CHILDREN]
    assert run(command, back_end) == "done"


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory):
    """The folder of a package that ThreadSanitizer follows, with its baseline kernels.

    It knows the GIL, which is a lock of the system.
    """
    folder = tmp_path_factory.mktemp("sanitized")
    NATIVE.sanitized("-fsanitize=thread").package(folder)
    return folder


@pytest.mark.compilers
@each_number
def test_two_callers_beside_forks_do_not_race(sanitized, optimizers):
    library = run([NATIVE.compiler[0], "-print-file-name=libtsan.so"])
    command = ["setarch", "-R", sys.executable, CALLERS, optimizers, CHILDREN]
    environment = {
        "LD_PRELOAD": library,
        "TSAN_OPTIONS": "die_after_fork=0",
        "LRCORE_ISA": "baseline",
        "PYTHONPATH": str(sanitized),
    }
    assert run(command, **environment) == "done"


def test_a_meeting_waits_for_no_thread_and_holds_neither_pool_nor_gil():
    """In the middle of one thread's step, another thread takes a step by the pool."""
    lrcore.set_threading("pool")
    other = lrcore.SGD(np.zeros(300_000, np.float32), lr=1.0, num_threads=2)
    asked, stepped = threading.Event(), threading.Event()

    class Waiting(lrcore.DoG):
        """DoG that waits for the other thread where Python is asked for its rate."""

        __slots__ = ()

        @staticmethod
        def _fold(h):
            adapt = lrcore.DoG._fold(h)

            def coefs(*args):
                asked.set()
                assert stepped.wait(60)
                return adapt(*args)

            return coefs

    def step():
        assert asked.wait(60)
        other.step(np.ones(300_000, np.float32))
        stepped.set()

    thread = threading.Thread(target=step)
    thread.start()
    opt = Waiting(np.ones(300_000, np.float32), num_threads=2)
    assert opt.step(np.full(300_000, 0.5, np.float32))
    thread.join(60)
    assert stepped.is_set()
