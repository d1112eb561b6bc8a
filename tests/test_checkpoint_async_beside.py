"""Saves in the background beside others, in handlers of signals and forked children.

And at the end of the interpreter: nothing is lost, and nothing waits for ever.
"""

import _thread
import os
import signal
import threading
from contextlib import nullcontext, suppress

import pytest
from saves import begun, holding, loaded, script, stepped
from stopped import stops
from wrong import message

import lrcore
from lrcore.checkpoint import read
from lrcore.optimizers.base import saving as of_saving


@pytest.fixture
def held():
    with holding() as held:
        yield held


# --- several --------------------------------------------------------------------------


def test_an_optimizer_and_a_path_have_one_save_under_way(tmp_path, held):
    """Whatever waits for the first one comes after it."""
    first, second, path = begun(), stepped(begun()), tmp_path / "run"
    others = {
        "its next": lambda: first.save_async(tmp_path / "next"),
        "one to its path": lambda: second.save_async(path),
        "save": lambda: second.save(path),
        "load": lambda: begun().load(path),
    }
    for name, call in others.items():
        held.go_on.clear()
        first.save_async(path)
        assert held.begun.acquire(timeout=60)
        done = threading.Event()
        thread = threading.Thread(target=lambda c=call, d=done: (c(), d.set()))
        thread.start()
        assert not done.wait(0.05), name
        held.go_on.set()
        thread.join()
        assert done.is_set()
        of_saving.finish(lambda _: True)
        while held.begun.acquire(blocking=False):
            pass
        assert loaded(path).t == (1 if name in ("one to its path", "save") else 0)


def test_other_optimizers_write_at_the_same_time(tmp_path, held):
    saves = [stepped(begun(), k).save_async(tmp_path / str(k)) for k in range(3)]
    for _ in saves:
        assert held.begun.acquire(timeout=60)
    held.go_on.set()
    for k, saving in enumerate(saves):
        saving.wait()
        assert loaded(tmp_path / str(k)).t == k


def test_a_handler_of_a_signal_may_save_while_a_save_begins(tmp_path, monkeypatch):
    """Nothing waits for ever, and an error of the handler leaves nothing behind."""
    opt, path = begun(), tmp_path / "run"
    start = _thread.start_new_thread

    def interrupted(*args):
        monkeypatch.setattr(_thread, "start_new_thread", start)
        opt.save(path)
        opt.save_async(path).wait()
        if raises:
            raise KeyboardInterrupt
        start(*args)

    for raises in (False, True):
        monkeypatch.setattr(_thread, "start_new_thread", interrupted)
        with pytest.raises(KeyboardInterrupt) if raises else nullcontext():
            stepped(opt).save_async(path).wait()
        assert loaded(path).t == opt.t
        assert of_saving._writing == {}
    opt.save_async(path).wait()


def test_a_handler_of_a_signal_may_save_while_a_save_is_waited_for(tmp_path, held):
    opt, other = begun(), stepped(begun())

    def handler(*_):
        other.save(tmp_path / "other")
        held.go_on.set()

    before = signal.signal(signal.SIGALRM, handler)
    try:
        saving = opt.save_async(tmp_path / "run")
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        saving.wait()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert (loaded(tmp_path / "run").t, loaded(tmp_path / "other").t) == (0, 1)


def test_a_save_that_is_interrupted_before_it_begins_keeps_no_other_waiting(tmp_path):
    """A save of another thread to the same path ends, and its file is the last one."""
    path, opt, ended = tmp_path / "run", begun(), 0
    for stopped in stops(
        lambda: lambda: stepped(opt).save_async(path).wait(),
        "optimizers/base/saving.py",
    ):
        ended += stopped  # a loop that waits for the thread may not be needed again
        thread = threading.Thread(target=opt.save, args=[path], daemon=True)
        thread.start()
        thread.join(60)
        assert not thread.is_alive()
        of_saving.finish(lambda _: True)
        assert of_saving._writing == {}
        assert loaded(path).t == opt.t
    assert ended > 5


# --- processes ------------------------------------------------------------------------


def test_a_forked_child_leaves_it_to_its_parent(tmp_path, held):
    opt = stepped(begun())
    saving = opt.save_async(tmp_path / "run")
    assert held.begun.acquire(timeout=60)
    child = os.fork()
    if child == 0:
        code = 1
        with suppress(BaseException):
            held.go_on.set()
            assert not saving.done
            said = message(lambda _: saving.wait(), None)
            assert said.startswith("this process was forked while ")
            stepped(opt).save_async(tmp_path / "child").wait()
            opt.save(tmp_path / "child")
            assert loaded(tmp_path / "child").t == 2
            code = 0
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not (tmp_path / "run").exists()
    held.go_on.set()
    saving.wait()
    assert loaded(tmp_path / "run").t == 1
    assert loaded(tmp_path / "child.prev").t == 2


def test_a_forked_child_does_not_keep_the_file_open(tmp_path, monkeypatch):
    go_on, is_open = threading.Event(), threading.Event()
    put = lrcore.checkpoint._write._put

    def waiting(*args):
        is_open.set()
        assert go_on.wait(60)
        put(*args)

    def files():
        links = (f"/proc/self/fd/{each}" for each in os.listdir("/proc/self/fd"))
        return [os.readlink(each) for each in links if os.path.lexists(each)]

    monkeypatch.setattr(lrcore.checkpoint._write, "_put", waiting)
    saving = begun().save_async(tmp_path / "run")
    assert is_open.wait(60)
    child = os.fork()
    if child == 0:
        os._exit(any(str(tmp_path) in each for each in files()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert any(str(tmp_path) in each for each in files())
    go_on.set()
    saving.wait()
    assert loaded(tmp_path / "run").t == 0


def test_the_interpreter_ends_when_the_file_is_written(tmp_path):
    """With the error, if there is one."""
    text = """
        import sys, numpy as np, lrcore
        opt = lrcore.Adam(np.full(3_000_000, 2.0))
        opt.save_async(sys.argv[1])
        opt.step(np.ones(3_000_000))
        {more}
    """
    assert script(text.format(more=""), tmp_path / "run") == ""
    found = read(tmp_path / "run", mmap=True)
    assert found.step == 0
    assert (found.params[""] == 2.0).all()
    folder = tmp_path / "folder"
    folder.mkdir()
    more = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999))"
    said = script(text.format(more=more), folder / "run")
    assert "OSError: [Errno 27] File too large" in said
    assert f"while {str(folder / 'run')!r} was saved in the background" in said
    assert [*folder.iterdir()] == []
