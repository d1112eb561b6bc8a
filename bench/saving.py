"""What opt.save_async costs: python bench/saving.py [ELEMENTS] [ROUNDS] [FOLDER]

For float32 AdamW, in rounds that take turns:

    added     a call of save_async, over a step by all threads: what it adds to the step
              after which it is called.  The first call stands apart, of an optimizer to
              which ``Checkpoint(folder, background=True).load`` has given the memory of
              the copy, and of one that gets fresh memory then.
    beside    steps by one thread while the file is written, over such steps alone: of
              medians, and of means, in which the system's other work weighs more, as
              both processors are taken.

Bytes that are moved for a weight: 28 in a step (g is read; p, m and v are read and
written), 24 in a copy of p, m and v that goes past the caches.  So 0.86 is expected
where memory decides.
"""

import sys
import tempfile
from pathlib import Path
from statistics import fmean, median
from time import perf_counter

import numpy as np

import lrcore
from lrcore.bench.clock import collected

FIRST = 3
"""Optimizers of which the first call is timed."""


def timed(call):
    start = perf_counter()
    call()
    return perf_counter() - start


class Run:
    """A run of AdamW, and its times."""

    def __init__(self, elements, folder, announced=False):
        rng = np.random.default_rng(0)
        self.grad = rng.standard_normal(elements, np.float32)
        self.opt = lrcore.AdamW(rng.standard_normal(elements, np.float32))
        self.path = Path(folder, "run.safetensors")
        if announced:
            lrcore.Checkpoint(folder, background=True).load(self.opt)
        self.steps(3)

    def steps(self, n, threads=None):
        """Return the seconds of each of n steps."""
        self.opt.num_threads = threads
        return [timed(lambda: self.opt.step(self.grad)) for _ in range(n)]

    def save(self):
        """Begin to save; return the seconds of this call, and what is under way."""
        self.opt.num_threads = None
        start = perf_counter()
        saving = self.opt.save_async(self.path)
        return perf_counter() - start, saving

    def beside(self, saving):
        """Return the seconds of each step by one thread while the file is written."""
        found = []
        while not saving.done:
            found += self.steps(1, threads=1)
        return found[:-1] or found  # the last one may have been alone for a part


def main(elements=3e7, rounds=9, folder=None):
    with tempfile.TemporaryDirectory(dir=folder) as temporary, collected():
        first = {True: [], False: []}
        for announced in FIRST * [True, False]:  # the former imports lrcore.checkpoint
            run = None  # its memory is free before there is another one
            run = Run(int(float(elements)), temporary, announced)
            step = median(run.steps(7))
            took, saving = run.save()
            first[announced].append((took, took / step))
            saving.wait()
        added, beside, alone, writing = [], [], [], []
        for _ in range(int(rounds)):
            step = median(run.steps(7))
            took, saving = run.save()
            added.append((took, step, took / step))
            start = perf_counter()
            beside += run.beside(saving)
            writing.append(perf_counter() - start)
            saving.wait()
            alone += run.steps(15, threads=1)
        took, step, ratio = (median(column) for column in zip(*added, strict=True))
        slow, one = median(beside), median(alone)
        means = fmean(beside) / fmean(alone)
        size = run.path.stat().st_size
        print(f"{run.opt._plan.total:,} weights, {lrcore.get_num_threads()} threads")
        print(f"a step               {1e3 * step:7.1f} ms")
        print(f"save_async adds      {1e3 * took:7.1f} ms   {ratio:5.2f} of a step")
        for announced, words in ((True, "first, announced"), (False, "first, fresh")):
            took, ratio = (median(c) for c in zip(*first[announced], strict=True))
            print(f"  {words:<18} {1e3 * took:7.1f} ms   {ratio:5.2f}")
        print(f"a step by one thread {1e3 * one:7.1f} ms")
        print(f"  beside the writing {1e3 * slow:7.1f} ms   {slow / one:5.2f} of it")
        print(f"     by means                     {means:5.2f}")
        print(f"writing {size / 1e6:,.0f} MB    {1e3 * median(writing):7.0f} ms")


if __name__ == "__main__":
    main(*sys.argv[1:])
