"""Saves that go on in the background: their threads, and who is told of their errors.

There is no lock here that a save holds while it waits: a handler of a signal may save
in the middle of another save, and a forked child has none of the threads.
"""

from __future__ import annotations

import _thread
import atexit
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from lrcore._shared.forks import in_children

_writing: dict[str, Saving] = {}
"""The saves under way, by path: one for each."""

_latest: weakref.WeakKeyDictionary[Any, Saving] = weakref.WeakKeyDictionary()
"""The last save of each optimizer, until it has been waited for."""


class Saving:
    """A save that goes on in the background, which ``opt.save_async`` returns.

    The end of the interpreter waits for it, too.

    Attributes
    ----------
    path : str
        The file.
    done : bool
        Whether it is over: the file is on the disk, or there was an error.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np, lrcore
    >>> opt = lrcore.SGD(np.ones(2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saving = opt.save_async(f"{folder}/run.safetensors")
    ...     opt.step(np.ones(2))  # the file has the params as they were before
    ...     saving.wait()
    ...     saving.done
    True
    True
    """

    def __init__(self, opt: Any, path: str, write: Callable[[], object]) -> None:
        self.path, self.done = path, False
        self._opt, self._write = weakref.ref(opt), write
        self._error: BaseException | None = None
        self._unseen: weakref.finalize[..., Any] | None = None
        self._beginner = threading.get_ident()
        self._began = False  # whether a thread, or this one, has begun to write
        self._work_of_thread: Callable[[], object] = lambda: None  # None: it has ended
        self._under_way = threading.Lock()
        self._under_way.acquire()

    def __repr__(self) -> str:
        state = "under way" if not self.done else "failed" if self._error else "done"
        return f"<Saving of {self.path!r}: {state}>"

    def wait(self) -> None:
        """Wait until the file is on the disk.

        Raises
        ------
        OSError
            The file could not be written.  The one that was there before is there.
        RuntimeError
            This process was forked meanwhile; the one that began the save goes on.
        """
        self._end()
        if not self.done:
            raise RuntimeError(
                f"this process was forked while {self.path!r} was being written: wait "
                "for it in the process that began to save"
            )
        self._seen()
        if self._error is not None:
            raise self._error

    def begin(self) -> None:
        """Let a thread call `write`; if no thread can be had, call it now."""
        try:
            while (other := _writing.setdefault(self.path, self)) is not self:
                if not other._end():
                    break
            _latest[self._opt()] = self
            began = self._in_thread()
        except BaseException as error:  # of a handler of a signal
            traceback.clear_frames(error.__traceback__)  # one may hold the work
            if not self._has_begun():
                self._leave()
            raise
        if not began:
            self._work()

    def _in_thread(self) -> bool:
        """Let a thread write; return whether it has begun.

        A thread may get no memory to begin: `threading.Thread.start` would wait for it
        for ever.
        """
        work = partial(self._work)
        self._work_of_thread = weakref.ref(work)
        try:
            _thread.start_new_thread(work, ())
        except RuntimeError:  # no thread can be had
            return False
        del work
        return self._has_begun()

    def _has_begun(self) -> bool:
        """Wait until the thread has begun to write; return False if it has ended."""
        while not self._began and self._work_of_thread() is not None:
            time.sleep(1e-4)
        return self._began

    def _work(self) -> None:
        self._began = True
        try:
            self._write()
        except BaseException as error:
            self._error = error  # at once, as there may be no memory for more
            error.add_note(f"while {self.path!r} was saved in the background")
            # The frames would keep the copy as long as the error.
            below = error.__traceback__ and error.__traceback__.tb_next
            traceback.clear_frames(below)
            self._error = error.with_traceback(below)
            self._will_print()
        finally:
            self._leave()

    def _leave(self) -> None:
        self.done = True
        if _writing.get(self.path) is self:
            del _writing[self.path]
        self._under_way.release()

    def _will_print(self) -> None:
        """Print the error at the end of the optimizer, or of the interpreter."""
        opt = self._opt()
        if opt is None:
            self._print()
        else:
            self._unseen = weakref.finalize(opt, self._print)

    def _end(self) -> bool:
        """Wait for the end.

        Return False where this would wait for ever: a handler of a signal has
        interrupted `begin` of this very save.  Then two files are written, and the last
        one stays.
        """
        while not (self._began or self.done):
            if self._beginner == threading.get_ident():
                return False
            time.sleep(1e-3)
        with self._under_way:
            return True

    def _seen(self) -> bool:
        """Note that the error has been raised; return whether it had not been."""
        return self._unseen is not None and self._unseen.detach() is not None

    def _print(self) -> None:
        """Print an error that no call is there to raise."""
        assert self._error is not None
        sys.excepthook(type(self._error), self._error, self._error.__traceback__)


def settle(opt: Any, path: str) -> None:
    """Wait for the optimizer's last save and for the one to a path.

    Raises the error of the former, unless it has been raised before.
    """
    last = _latest.get(opt)
    if last is not None:
        last._end()
        _latest.pop(opt, None)
    finish(lambda other: other == path)
    if last is not None:
        end(last)


def end(saving: Saving) -> None:
    """Wait for a save, and raise its error unless that has been raised before."""
    saving._end()
    if saving._error is not None and saving._seen():
        raise saving._error


def finish(chosen: Callable[[str], bool]) -> None:
    """Wait for all saves to chosen paths."""
    for path, saving in list(_writing.items()):
        if chosen(path):
            saving._end()


def _forked() -> None:
    """Forget the saves of the parent, in a child, which does not have its threads."""
    for saving in {*_writing.values(), *_latest.values()}:
        saving._seen()
        saving._began, saving._under_way = True, threading.Lock()
    _writing.clear()
    _latest.clear()


def _at_exit() -> None:
    """Wait for all saves, and print errors that no call has raised."""
    finish(lambda _: True)
    for saving in _latest.values():
        if saving._seen():
            saving._print()


in_children(_forked)
atexit.register(_at_exit)
