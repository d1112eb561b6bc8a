"""Two threads that step at the same time, while children are forked.

    python callers.py OPTIMIZERS CHILDREN

OPTIMIZERS : 2: each thread steps its own; 1: both the same one, whose lock refuses the
    thread that comes second, and whose state and averages others read meanwhile.
CHILDREN : how many are forked, each of which steps an optimizer of its own.

Prints "done" if each step was whole.
"""

import os
import sys
import threading
from contextlib import suppress

import numpy as np

import lrcore

SIZE = 100_000  # so that a step has two threads, and lets other threads run


def made():
    """An optimizer, each step of which takes 1 from its params."""
    p = np.zeros(SIZE, np.float32)
    opt = lrcore.SGD(p, lr=1.0, num_threads=2, clip_norm=1e9, ema_decay=0.5)
    return p, opt


def is_whole(p, opt):
    return bool((p == -opt.t).all())


def step_for_ever(opt, ends):
    g = np.ones(SIZE, np.float32)
    while not ends.is_set():
        with suppress(RuntimeError):  # the other thread is stepping
            opt.step(g)


def look(p, opt):
    """Read and exchange what a step writes."""
    with suppress(RuntimeError):
        saved = opt.state_dict()
        assert saved["steps"] == [saved["t"]]
    with suppress(RuntimeError), opt.averaged():
        assert (p == p[0]).all()
    with suppress(RuntimeError):
        opt.lr = 1.0


def forked():
    """Step in a child; return whether its steps were whole."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            p, opt = made()
            for _ in range(3):
                opt.step(np.ones(SIZE, np.float32))
            status = not is_whole(p, opt)
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def main(optimizers, children):
    runs = [made() for _ in range(optimizers)]
    ends = threading.Event()
    threads = [
        threading.Thread(target=step_for_ever, args=(runs[k % optimizers][1], ends))
        for k in range(2)
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in range(children):
            assert forked()
            for run in runs:
                look(*run)
    finally:
        ends.set()
        for thread in threads:
            thread.join()
    assert all(opt.t > 0 and is_whole(p, opt) for p, opt in runs)
    print("done")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
