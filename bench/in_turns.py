"""A step in turns with other threads of its process: python bench/in_turns.py.

Training loops alternate a step with matrix products, whose library has threads of its
own.  These may spin for milliseconds after each product, on the processors that a
step's threads need.  This measures NumPy's matrix product and torch's addition, with a
float32 AdamW step by each back end, each pair in a process of its own: the mean times
of both, alone and in turns, and the ratio of the sums.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
from time import perf_counter

import numpy as np

import lrcore

CALLS = 400


def product():
    """Return a call of NumPy's matrix product, in its library's threads."""
    a, out = np.ones((256, 256), np.float32), np.empty((256, 256), np.float32)
    return lambda: np.matmul(a, a, out=out)


def addition():
    """Return a call of torch's addition of 1,000,000 floats, in OpenMP's threads."""
    torch = importlib.import_module("torch")
    a, b = torch.ones(1_000_000), torch.ones(1_000_000)
    return lambda: torch.add(a, b, out=a)


OTHERS = {"numpy": product, "torch": addition}


def mean_times(*calls):
    """Return the mean seconds of each of some calls in turns."""
    spent = np.zeros((CALLS, len(calls)))
    for row in spent:
        for k, call in enumerate(calls):
            begin = perf_counter()
            call()
            row[k] = perf_counter() - begin
    return spent[CALLS // 4 :].mean(axis=0)


def measure(other, elements):
    """Print a row of the table."""
    p, g = np.ones((2, elements), np.float32)
    opt = lrcore.AdamW(p)
    call, step = OTHERS[other](), lambda: opt.step(g)
    alone = [*mean_times(call), *mean_times(step)]
    both = mean_times(call, step)
    times = "".join(f"{1e6 * t:>9.0f}" for t in (*alone, *both))
    ratio = sum(both) / sum(alone)
    print(f"{other:<6} {lrcore.get_threading():<7} {elements:>9}{times} {ratio:>9.2f}")


def main():
    """Measure each pair in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--other", choices=OTHERS, help=argparse.SUPPRESS)
    parser.add_argument("--elements", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.other:
        measure(args.other, args.elements)
        return
    print("us             elements    other     step    other     step     ratio")
    print("                            alone    alone in turns in turns")
    for other in OTHERS:
        if other == "torch" and importlib.util.find_spec("torch") is None:
            print("torch is not installed")
            continue
        for elements in (100_000, 1_000_000):
            for name in ("pool", "openmp"):
                command = [sys.executable, __file__, "--other", other]
                command += ["--elements", str(elements)]
                env = {**os.environ, "LRCORE_THREADING": name}
                subprocess.run(command, env=env, check=True)


if __name__ == "__main__":
    main()
