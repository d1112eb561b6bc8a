"""More than one interpreter in a process, and one without its lock (the GIL)."""

import sys
import sysconfig
from pathlib import Path

import pytest
from hanging import printed

import lrcore

ROOT = Path(lrcore.__file__).parents[1]

# Imports lrcore in another interpreter, after the first one or before it.  A "legacy"
# interpreter shares the lock of the first, and takes extensions that do not say that
# they can be loaded more than once.
SCRIPT = """
import sys
sys.path.insert(0, {root!r})

def imports(kind):
    code = "import sys; sys.path.insert(0, {root!r}); import lrcore"
    if sys.version_info >= (3, 13):
        import _interpreters
        failed = _interpreters.exec(_interpreters.create(kind), code)
        return failed and f"{{failed.type.__name__}}: {{failed.msg}}"
    import _xxsubinterpreters
    other = _xxsubinterpreters.create(isolated=kind == "isolated")
    try:
        _xxsubinterpreters.run_string(other, code)
    except _xxsubinterpreters.RunFailedError as error:
        return str(error)

{then}
"""
AFTER = """
import numpy as np, lrcore
p = np.ones(200_000)
opt = lrcore.SGD(p, lr=0.25, num_threads=2)
opt.step(np.ones_like(p))
for _ in range(3):
    print(imports({kind!r}))
    opt.step(np.ones_like(p))
assert (p == 0).all()
"""
BEFORE = """
assert imports("legacy") is None
try:
    import lrcore
except ImportError as error:
    print(type(error).__name__, error)
"""
KINDS = {
    "isolated": "module lrcore._core does not support loading in subinterpreters",
    "legacy": "this module can only be loaded into one interpreter per process",
}


def run(then):
    script = SCRIPT.format(root=str(ROOT), then=then)
    return printed([sys.executable, "-W", "ignore", "-c", script]).splitlines()


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_interpreter_is_refused_and_the_first_goes_on(kind):
    text = KINDS[kind]
    if sys.version_info < (3, 12):  # in which an isolated one shares the lock, too
        text = KINDS["legacy"]
    found = run(AFTER.format(kind=kind))
    assert len(found) == 3
    assert all("ImportError" in line and text in line for line in found)


@pytest.mark.skipif(
    sysconfig.get_config_var("Py_GIL_DISABLED") == 1,
    reason="NumPy refuses each further interpreter of a free-threaded Python",
)
def test_only_the_interpreter_that_has_loaded_it_has_it():
    """As with mod_wsgi: it may be another one than the first."""
    (line,) = run(BEFORE)
    assert line.startswith("ImportError")


@pytest.mark.skipif(
    sysconfig.get_config_var("Py_GIL_DISABLED") != 1,
    reason="this is no free-threaded Python",
)
def test_the_import_gives_a_free_threaded_python_its_lock():
    script = "import sys, lrcore; print(sys._is_gil_enabled())"
    command = [sys.executable, "-W", "ignore", "-c", script]
    assert printed(command, PYTHONPATH=str(ROOT), PYTHON_GIL="") == "True"
