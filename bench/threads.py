"""Find the size from which two threads are faster than one: python bench/threads.py.

Prints medians of a float32 Adam step on one array, by one and two threads in turns.
LRC_PARALLEL_FROM in src_c/plan.h is chosen by this.
"""

import numpy as np

import lrcore
from lrcore.bench.clock import interleave


def stepper(elements, threads):
    opt = lrcore.Adam(np.ones(elements, np.float32), num_threads=threads)
    opt._plan.parallel_from = 1
    g = np.full(elements, 0.1, np.float32)
    return lambda: opt.step(g)


if __name__ == "__main__":
    print("elements   1 thread   2 threads   ratio")
    for elements in (8192, 16384, 32768, 49152, 65536, 131072, 262144):
        steps = {str(threads): stepper(elements, threads) for threads in (1, 2)}
        times = interleave(steps, rounds=25, seconds=0.01)
        one, two = (t.median * 1e6 for t in times.values())
        print(f"{elements:>8} {one:>8.1f} us {two:>8.1f} us {two / one:>7.2f}")
