"""Imports in the middle of a run, which no handler of a signal ends."""

from __future__ import annotations

import _thread
import threading
import time
import weakref
from contextlib import suppress
from functools import partial
from importlib import import_module
from types import ModuleType

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
    """Let a thread import, and wait until it has ended, or has got no memory to begin.

    Does nothing if no thread can be had.
    """
    work = partial(_try_to_import, name)
    held_by_thread = weakref.ref(work)
    with suppress(RuntimeError):
        _thread.start_new_thread(work, ())
    del work
    while held_by_thread() is not None:
        time.sleep(1e-4)


def _try_to_import(name: str) -> None:
    with suppress(Exception):
        _import(name)


def _import(name: str) -> ModuleType:
    _imported[name] = module = import_module(name)
    return module
