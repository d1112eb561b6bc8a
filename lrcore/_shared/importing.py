"""Imports in the middle of a run, which no handler of a signal ends."""

from __future__ import annotations

import _thread
import threading
from contextlib import suppress
from importlib import import_module
from types import ModuleType

_SECONDS = 1.0
"""A thread that has not begun after this time may have got no memory to begin."""

_imported: dict[str, ModuleType] = {}


def imported(name: str) -> ModuleType:
    """Import a module; another thread does it for the main thread.

    Python calls handlers of signals in the main thread.  An error that one raises in
    the middle of an import can leave the lock of a module taken, so that other threads
    wait for it for ever.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if name not in _imported and in_main:
        _in_thread(name)
    return _imported.get(name) or _import(name)  # raises what that thread met, too


def _in_thread(name: str) -> None:
    """Let a thread import, and wait until it has ended.

    Does nothing if no thread can be had, and does not wait for one that cannot begin.
    """
    # threading.Event is Python code: the error of a handler can leave its lock taken.
    ended = _thread.allocate_lock()
    ended.acquire()
    begun = False

    def work() -> None:
        nonlocal begun
        begun = True
        try:
            with suppress(Exception):
                _import(name)
        finally:
            ended.release()

    with suppress(RuntimeError):
        _thread.start_new_thread(work, ())
        while not ended.acquire(timeout=_SECONDS) and begun:
            pass


def _import(name: str) -> ModuleType:
    _imported[name] = module = import_module(name)
    return module
