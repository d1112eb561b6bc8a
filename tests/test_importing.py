"""Imports that another thread does for the main thread."""

import _thread
import subprocess
import sys
import textwrap
import threading
from types import SimpleNamespace

import pytest

from lrcore._shared import importing


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module that says which thread imports it."""
    text = "import threading\nby = threading.get_ident()\n"
    (tmp_path / "imported_once.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield "imported_once"
    sys.modules.pop("imported_once", None)
    importing._imported.pop("imported_once", None)


def test_another_thread_imports(module, monkeypatch):
    monkeypatch.setattr(importing, "_SECONDS", 60.0)
    found = importing.imported(module)
    assert found.by != threading.get_ident()
    assert importing.imported(module) is found


def never(*_):
    """Start a thread that gets no memory to call its function."""
    return 0


def none(*_):
    raise RuntimeError("can't start new thread")


@pytest.fixture
def started(monkeypatch):
    """Have threads started by another function, which are hardly waited for."""

    def by(start):
        system = SimpleNamespace(start_new_thread=start, allocate_lock=threading.Lock)
        monkeypatch.setattr(importing, "_thread", system)
        monkeypatch.setattr(importing, "_SECONDS", 0.001)

    return by


@pytest.mark.parametrize("start", [never, none])
def test_without_a_thread_the_main_thread_imports(module, started, start):
    started(start)
    assert importing.imported(module).by == threading.get_ident()


def test_a_thread_that_has_begun_is_waited_for(module, started, monkeypatch, tmp_path):
    slow = """
        import threading, time
        from lrcore._shared import importing
        importing.begun.set()
        time.sleep(0.05)
        by = threading.get_ident()
    """
    (tmp_path / f"{module}.py").write_text(textwrap.dedent(slow))
    monkeypatch.setattr(importing, "begun", threading.Event(), raising=False)

    def start(work, arguments):
        _thread.start_new_thread(work, arguments)
        assert importing.begun.wait(60)

    started(start)
    assert importing.imported(module).by != threading.get_ident()


def test_the_error_of_an_import_is_raised():
    with pytest.raises(ModuleNotFoundError, match="there_is_none"):
        importing.imported("there_is_none")


KEPT = """
    import sys
    from lrcore._shared.importing import imported

    sys.path.insert(0, sys.argv[1])
    print(len(imported("keeps_all").objects) > 0)
"""


def test_a_module_may_keep_all_objects_that_it_finds(tmp_path):
    """Profilers of memory do: the wait ends though something keeps what it has made."""
    (tmp_path / "keeps_all.py").write_text("import gc\nobjects = gc.get_objects()\n")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KEPT), tmp_path],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "True\n", done.stderr
