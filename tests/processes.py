"""Steps in child processes, each of which must give the bits of its parent.

    python processes.py WAY CHILDREN TORCH

WAY : "os.fork"; "amid", the same while two other threads step; or a method of
    multiprocessing.
TORCH : "alone", or whether torch is imported "before" lrcore or "after".

Prints "done CHILDREN", and how many seconds the slowest child took, at most: to begin
(with its imports, if it has its own) and to step.  A child that takes longer than LIMIT
prints where each of its threads is, and ends, which ends its parent.
"""

import faulthandler
import multiprocessing
import os
import pickle
import sys
import threading
from time import monotonic
from zlib import crc32

import numpy as np

LIMIT = 300
"""Seconds for a child's imports and steps, also on a busy machine."""

STARTED = __name__ == "__mp_main__"
"""Whether this is a child that imports what follows, as those of spawn do."""

if STARTED:
    faulthandler.dump_traceback_later(LIMIT, exit=True)

RUNS = __name__ in ("__main__", "__mp_main__")  # not if pytest looks for doctests
WAY, CHILDREN, TORCH = sys.argv[1:] if RUNS else ("os.fork", "0", "alone")
if TORCH == "before":
    import torch
import lrcore  # noqa: E402 # the order is what is tested

if TORCH == "after":
    import torch

IMPORTS = {
    "alone": ["lrcore"],
    "before": ["torch", "lrcore"],
    "after": ["lrcore", "torch"],
}
"""What a server of forks imports, once for all its children."""

SIZE = 150_000  # of two arrays, so that several threads step them


class Run:
    """An optimizer with its params, and the next gradients.

    begun : how many threads this process has made to construct it of a pickle.
    """

    begun = 0

    def __init__(self):
        self.params = [np.ones(SIZE, np.float32), np.ones((3, SIZE // 3), np.float32)]
        self.opt = lrcore.AdamW(
            self.params, num_threads=2, clip_norm=1.0, ema_decay=0.9
        )
        self.rng = np.random.default_rng(0)

    def __reduce__(self):
        return unpickled, (pickle.dumps(vars(self)),)

    def step(self):
        """Step; return the bits, and how many threads this process has made for it."""
        before = threads()
        grads = [self.rng.standard_normal(p.shape, np.float32) for p in self.params]
        assert self.opt.step(grads)
        return [crc32(p) for p in [*self.params, *self.opt.ema]], threads() - before


def unpickled(data):
    run, before = Run.__new__(Run), threads()
    vars(run).update(pickle.loads(data))
    run.begun = threads() - before
    return run


def threads():
    return len(os.listdir("/proc/self/task"))


def work(pipe, run):
    """What a child does: three steps, in the first of which it makes its threads.

    A child that constructs its optimizer has them by then: they write its states first.
    """
    if not STARTED:
        faulthandler.dump_traceback_later(LIMIT, exit=True)
    begun = monotonic()
    steps = [run.step() for _ in range(3)]
    pipe.send((run.begun, steps, begun, monotonic()))


def forked(pipe, run):
    """Work in a child of os.fork; return what waits for its end."""
    child = os.fork()
    if child == 0:
        try:
            work(pipe, run)
        finally:
            os._exit(0)  # without a result its parent fails
    return lambda: os.waitpid(child, 0)


def started(context, pipe, run):
    """Work in a process of multiprocessing; return what waits for its end."""
    process = context.Process(target=work, args=(pipe, run))
    process.start()
    return process.join


def for_ever(run, ends):
    while not ends.is_set():
        run.step()


def main():
    run, ends = Run(), threading.Event()
    if TORCH != "alone":
        torch.set_num_threads(2)
        assert torch.ones(1_000_000).add_(1).sum() == 2_000_000
    run.step()
    others = [
        threading.Thread(target=for_ever, args=(Run(), ends))
        for _ in range(2 if WAY == "amid" else 0)
    ]
    for thread in others:
        thread.start()
    begin = forked
    if WAY not in ("os.fork", "amid"):
        context = multiprocessing.get_context(WAY)
        context.set_forkserver_preload(IMPORTS[TORCH])

        def begin(pipe, run):
            return started(context, pipe, run)

    to_begin, to_step = 0.0, 0.0
    for _ in range(int(CHILDREN)):
        ours, theirs = multiprocessing.Pipe(duplex=False)
        start = monotonic()
        wait = begin(theirs, run)
        theirs.close()
        own = [run.step() for _ in range(3)]
        made, found, begun, ended = ours.recv()
        wait()
        to_begin, to_step = max(to_begin, begun - start), max(to_step, ended - begun)
        assert [bits for bits, _ in found] == [bits for bits, _ in own]
        made += sum(n for _, n in found)
        assert made == (lrcore.get_threading() != "serial"), f"{made} threads made"
    ends.set()
    for thread in others:
        thread.join()
    print("done", CHILDREN)
    print(f"seconds a child, at most: {to_begin:.2f} to begin, {to_step:.3f} to step")


if __name__ == "__main__":
    main()
