"""What an optimizer of many small arrays costs: its construction, and a step.

python bench/many_arrays.py [KIND] [COUNTS...]

Prints the microseconds an array takes, with 1 to 200,000 arrays of 10 to 100 float32,
the least of several runs, and the memory that the optimizer adds to them.  Time that is
linear in the number of arrays shows as a column of the same figures.
"""

import sys
from time import perf_counter

import numpy as np

import lrcore

COUNTS = (1, 1_000, 10_000, 100_000, 200_000)


def arrays(count):
    sizes = np.random.default_rng(0).integers(10, 101, count)
    return [np.ones(size, np.float32) for size in sizes]


def resident():
    """Return the bytes of memory that the process has."""
    with open("/proc/self/statm") as statm:
        return 4096 * int(statm.read().split()[1])


def measured(kind, count):
    """Return the seconds of a construction and of a step, and the bytes it adds."""
    params, grads = arrays(count), arrays(count)
    rounds = max(3, 2000 // count)
    construct = step = float("inf")
    for k in range(rounds):
        before = resident()
        start = perf_counter()
        opt = kind(params)
        construct = min(construct, perf_counter() - start)
        if k == 0:
            added = resident() - before
        opt.step(grads)
        start = perf_counter()
        opt.step(grads)
        step = min(step, perf_counter() - start)
        del opt
    return construct, step, added


def main(name="AdamW", *counts):
    kind = getattr(lrcore, name)
    title = f"{name}: arrays"
    print(f"{title:<20}{'us to construct':>18}{'us a step':>12}{'bytes':>8}")
    for count in map(int, counts or COUNTS):
        construct, step, added = measured(kind, count)
        each = construct / count * 1e6, step / count * 1e6, added / count
        print(f"{count:<20,}{each[0]:>18.2f}{each[1]:>12.3f}{each[2]:>8.0f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
