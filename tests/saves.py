"""A run whose state after each step is known, to be saved, loaded and compared."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pytest

import lrcore
from lrcore.checkpoint import _save
from lrcore.optimizers.base import saving
from lrcore.schedules import Cosine


def begun():
    """The optimizer of the run before its first step."""
    params = {"w": np.linspace(-1, 1, 300, dtype=np.float32), "b": np.ones(7)}
    return lrcore.AdamW(params, lr=Cosine(0.1, total=1000), ema_decay=0.9)


def stepped(opt, n=1):
    """Take steps with gradients that depend only on the number of the step."""
    for _ in range(n):
        rng = np.random.default_rng(opt.t)
        w, b = rng.normal(size=300).astype(np.float32), rng.normal(size=7)
        opt.step({"w": w, "b": b})
    return opt


def bits(opt):
    """All that the run consists of, to the bit."""
    arrays = [leaf.array.tobytes() for leaf in opt._tree.leaves]
    saved = opt.state_dict()
    states = [{k: a.tobytes() for k, a in s.items()} for s in saved.pop("state")]
    return arrays, states, repr(saved)


def known(steps):
    """The bits after each number of steps."""
    opt = begun()
    return [bits(stepped(opt, n=bool(k))) for k in range(steps + 1)]


def loaded(path):
    """The optimizer that a file restores."""
    opt = begun()
    opt.load(path)
    return opt


def unfinished(folder):
    """The names of temporary files in a folder."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def make_old(path):
    """Let a file have been written for the last time two hours ago."""
    os.utime(path, (time.time() - 7200,) * 2)


class Held(NamedTuple):
    """What `holding` gives: writers wait for `go_on`, and each releases `begun`."""

    go_on: threading.Event
    begun: threading.Semaphore


@contextmanager
def holding():
    """Let saves in the background wait before they write."""
    held, write = Held(threading.Event(), threading.Semaphore(0)), _save.write

    def waiting(*args):
        if threading.current_thread() is not threading.main_thread():
            held.begun.release()
            assert held.go_on.wait(60)
        write(*args)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_save, "write", waiting)
        try:
            yield held
        finally:
            held.go_on.set()
            saving.finish(lambda _: True)


def script(text, *arguments):
    """Run a script; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text), *map(str, arguments)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stderr
