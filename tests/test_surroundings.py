"""Settings, limits and surroundings in which other programs fail."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import lrcore
from lrcore import _config, _core
from lrcore._shared import omp, quota

ROOT = Path(__file__).parents[1]


def run(argv, *, cwd=None, timeout=120, **environment):
    """Run a program; a variable of None is unset."""
    env = {"PYTHONPATH": str(ROOT), **os.environ, **environment}
    return subprocess.run(
        argv,
        env={name: value for name, value in env.items() if value is not None},
        cwd=cwd,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )


def python(code, *flags, **how):
    return run([sys.executable, *flags, "-c", textwrap.dedent(code)], **how)


# --- variables ------------------------------------------------------------------------

NO_NUMBERS = [
    "abc",
    "-3",
    "0",
    "1e9",
    "0x4",
    "1_0",
    "4,0",
    "4,abc",
    ",4",
    "٤",
    "9" * 5000,
]
NUMBERS = {"4": 4, " 2 ": 2, "+3": 3, "4,2": 4, "007": 7, "4294967296": 2**32}


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number_of_threads_leaves_the_quota_in_force(text, monkeypatch):
    monkeypatch.setattr(quota, "cpus", lambda: 1)
    for name in ("OMP_NUM_THREADS", "LRCORE_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    try:
        _config.heed_environment()
        assert lrcore.get_num_threads() == 1
    finally:
        monkeypatch.undo()
        _config.heed_environment()


def test_a_number_of_threads_overrules_the_quota(monkeypatch):
    monkeypatch.delenv("LRCORE_NUM_THREADS", raising=False)
    monkeypatch.setattr(quota, "cpus", lambda: 1)
    before = _core.num_threads()
    try:
        for text in NUMBERS:
            monkeypatch.setenv("OMP_NUM_THREADS", text)
            _config.heed_environment()  # OpenMP has read its variable long ago
            assert lrcore.get_num_threads() == before
        monkeypatch.setenv("OMP_NUM_THREADS", "")
        _config.heed_environment()
        assert lrcore.get_num_threads() == 1
    finally:
        monkeypatch.undo()
        _config.heed_environment()


@pytest.mark.parametrize("text", ["", *NO_NUMBERS, *NUMBERS])
def test_a_variable_is_read_as_openmp_reads_it(text):
    found = omp.number("OMP_NUM_THREADS", {"OMP_NUM_THREADS": text})
    assert found == NUMBERS.get(text)
    told = omp.ignored({"OMP_NUM_THREADS": text, "OMP_THREAD_LIMIT": "3"})
    assert told == ({"OMP_NUM_THREADS": text} if text in NO_NUMBERS else {})


@pytest.mark.parametrize("threading", _core.threadings())
@pytest.mark.parametrize("text", ["abc", "-3", "4294967296", "2147483648"])
def test_a_process_with_an_odd_number_of_threads_steps_and_says_so(text, threading):
    code = """
        import numpy as np, lrcore
        p = np.ones(300_000, np.float32)
        lrcore.SGD(p, lr=0.5).step(np.ones_like(p))
        assert (p == 0.5).all() and lrcore.get_num_threads() >= 1
        lrcore.show_config()
    """
    done = python(code, OMP_NUM_THREADS=text, LRCORE_THREADING=threading)
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    said = f"OMP_NUM_THREADS='{text}' is no number of threads and is ignored" in told
    assert said == (text in NO_NUMBERS)


@pytest.mark.parametrize("threading", _core.threadings())
def test_a_limit_of_openmp_limits_the_default(threading):
    code = "import lrcore; print(lrcore.get_num_threads())"
    done = python(code, OMP_THREAD_LIMIT="1", LRCORE_THREADING=threading)
    assert done.stdout.strip() == "1", done.stderr


@pytest.mark.parametrize("value", ["0", "-1", "1e9", "two", "9" * 5000, "1.5", "4,2"])
def test_a_wrong_variable_of_lrcore_is_named_and_shown_in_short(value):
    done = python("import lrcore", LRCORE_NUM_THREADS=value)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: LRCORE_NUM_THREADS: expected an int >= 1, ")
    assert len(last) < 400


# --- no threads -----------------------------------------------------------------------

# Forked children step with limits.  They end with 13 if the system refused threads, 12
# if not, two less if the bits are others, and 0 by a MemoryError.
_CHILDREN = """
    import os, resource
    import numpy as np, lrcore

    def stepped():
        p = np.ones(300_000, np.float32)
        opt = lrcore.AdamW(p, clip_norm=1.0, telemetry=True, num_threads=4)
        for t in range(3):
            opt.step(np.full_like(p, t + 1))
        return p.tobytes(), lrcore.show_config("dict")["threads_refused"]

    def limit(n):
        {limit}

    chosen = lrcore.get_threading()
    lrcore.set_threading("serial")
    expected, _ = stepped()
    lrcore.set_threading(chosen)
    for n in {limits}:
        child = os.fork()
        if child == 0:
            status = 0
            try:
                limit(n)
                found, refused = stepped()
                status = 10 + 2 * (found == expected) + refused
            except MemoryError:
                pass
            finally:
                os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def children(threading, limits, limit):
    code = textwrap.dedent(_CHILDREN).format(limits=[*limits], limit=limit)
    done = python(code, LRCORE_THREADING=threading, OMP_NUM_THREADS=None)
    assert done.returncode == 0, done.stderr
    return [*map(int, done.stdout.split())]


@pytest.mark.parametrize("threading", _core.threadings())
def test_a_step_goes_on_if_the_system_refuses_threads(threading):
    """With those that can be had, to the same bits; and `show_config` says so."""
    # Root may have as many as it likes; another user's processes count already.
    limits = {1: 13, 2: 13, 3: 13, 1000: 12} if os.getuid() == 0 else {1: 13}
    limit = "resource.setrlimit(resource.RLIMIT_NPROC, (n, n)); "
    limit += "os.getuid() or os.setuid(54_321)"
    found = children(threading, limits, limit)
    assert found == (
        [12] * len(limits) if threading == "serial" else [*limits.values()]
    )


@pytest.mark.parametrize("threading", _core.threadings())
def test_a_step_goes_on_if_there_is_no_memory_for_threads(threading):
    """Or raises a MemoryError."""
    most = "int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()"
    limit = f"resource.setrlimit(resource.RLIMIT_AS, 2 * [{most} + n * 2**18])"
    found = children(threading, range(0, 400, 16), limit)
    assert {*found} <= {0, 12, 13}
    assert 12 in found


@pytest.mark.parametrize("threading", _core.threadings())
@pytest.mark.parametrize("size", ["16k", "32k", "60000G", "many", "0"])
def test_a_step_needs_no_large_stacks_of_openmp(threading, size):
    code = """
        import numpy as np, lrcore
        for name in ("AdamW", "LAMB", "Muon"):
            p = np.ones((600, 500), np.float32)
            opt = getattr(lrcore, name)(p, agc=0.1, agc_axis=0, num_threads=4)
            assert opt.step(np.ones_like(p))
    """
    done = python(code, OMP_STACKSIZE=size, LRCORE_THREADING=threading)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("threading", _core.threadings())
def test_a_step_needs_no_large_stack_of_the_shell(threading):
    code = "import numpy, lrcore; p = numpy.ones(10**6); lrcore.Adam(p).step(p.copy())"
    command = f"ulimit -s 256; exec {sys.executable} -c '{code}'"
    done = run(["bash", "-c", command], LRCORE_THREADING=threading)
    assert done.returncode == 0, done.stderr


# --- modes of Python ------------------------------------------------------------------


@pytest.mark.parametrize(
    "flags",
    [
        ["-OO", "-I"],
        ["-bb", "-W", "error", "-X", "dev"],
        ["-X", "warn_default_encoding"],
    ],
    ids=" ".join,
)
def test_a_short_training_in_a_mode_of_python(flags, tmp_path):
    """With a warning of lrcore's own files about encodings as an error."""
    code = f"""
        import runpy, sys, warnings
        sys.path.insert(0, {str(ROOT)!r})
        warnings.filterwarnings("error", "", EncodingWarning, "lrcore")
        runpy.run_path({str(ROOT / "tests" / "trained.py")!r}, run_name="__main__")
    """
    done = python(code, *flags, HOME="/dev/null", cwd="/proc", LC_ALL="POSIX")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "0.00512784"


# A locale of its own, for which no package is needed: only its numbers differ from C.
_LOCALE = """
LC_NUMERIC
decimal_point ","
thousands_sep "."
grouping 3;3
END LC_NUMERIC
"""
_ASCII = """
<code_set_name> ASCII
<mb_cur_min> 1
<mb_cur_max> 1
CHARMAP
<U0000>..<U007F> /x00 ASCII
END CHARMAP
"""


@pytest.fixture
def commas(tmp_path):
    """The folder of the locale "commas", in whose numbers the decimals follow one."""
    (tmp_path / "source").write_text(_LOCALE)
    (tmp_path / "ascii").write_text(_ASCII)
    # -c: also with a warning, as other categories are missing.
    run(["localedef", "-c", "-f", "ascii", "-i", "source", "./commas"], cwd=tmp_path)
    return tmp_path


@pytest.mark.skipif(shutil.which("localedef") is None, reason="localedef is missing")
def test_a_comma_before_decimals_changes_no_text_and_no_file(commas):
    code = """
        import ctypes, locale
        import numpy as np, lrcore
        from lrcore.cli.command import main

        def train(name):
            w = np.ones(9)
            opt = lrcore.AdamW(w, lr=0.1, clip_norm=1.0, telemetry=True)
            monitor = lrcore.Monitor(opt)
            for _ in range(20):
                opt.step(2 * w)
                monitor.update(float((w * w).sum()))
            opt.save(f"{name}.safetensors", extra={"monitor": monitor})
            opt.load(f"{name}.safetensors", extra={"monitor": monitor})
            monitor.report_html(f"{name}.html")
            print("by", w, opt, opt.report, monitor)

        text = ctypes.create_string_buffer(9)
        for name, decimals in ("C", b"1.5"), ("commas", b"1,5"):
            locale.setlocale(locale.LC_NUMERIC, name)
            ctypes.CDLL(None).snprintf(text, 9, b"%g", ctypes.c_double(1.5))
            assert text.value == decimals
            train(f"by {name}")
            main(["schedule", "Cosine(0.1, total=9)", "--csv"])
    """
    done = python(code, cwd=commas, LOCPATH=str(commas))
    assert done.returncode == 0, done.stderr
    _, one, other = done.stdout.split("by ")
    assert one == other
    for ending in ("safetensors", "html"):
        by_c, by_commas = (
            (commas / f"by {name}.{ending}").read_bytes() for name in ("C", "commas")
        )
        assert by_c == by_commas, ending


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full"])
def test_a_command_without_its_streams(streams):
    """Works, or says what is wrong in one line."""
    argv = "bench --sizes 1e3 --arrays 1 --rounds 1 --seconds 1e-3 --peers none"
    done = run(["bash", "-c", f"{sys.executable} -m lrcore {argv} {streams}"])
    assert done.returncode == (streams == ">/dev/full"), done.stderr
    assert done.stderr.count("\n") == (streams == ">/dev/full")
    assert "Traceback" not in done.stderr
