"""A step in turns with other threads of its process: python bench/in_turns.py.

Training loops alternate a step with matrix products, whose library has threads of its
own.  These may spin for milliseconds after each product, on the processors that a
step's threads need.  This measures NumPy's matrix product and torch's addition, with a
float32 AdamW step by each back end of this build, each pair in a process of its own:
the mean times of both, alone and in turns, and the ratio of the sums.  torch is
imported before lrcore and after it: whichever is first may load the OpenMP runtime that
both use.  The last column counts the OpenMP runtimes that the process has loaded.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
from time import perf_counter

import numpy as np

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


def back_ends():
    """Return the names of this build's back ends that have several threads."""
    from lrcore import _core

    return [name for name in _core.threadings() if name != "serial"]


def measure(other, first, elements):
    """Print a row of the table."""
    importlib.import_module(first)
    import lrcore

    p, g = np.ones((2, elements), np.float32)
    opt = lrcore.AdamW(p)
    call, step = OTHERS[other](), lambda: opt.step(g)
    alone = [*mean_times(call), *mean_times(step)]
    both = mean_times(call, step)
    times = "".join(f"{1e6 * t:>9.0f}" for t in (*alone, *both))
    ratio = sum(both) / sum(alone)
    runtimes = len(lrcore.show_config("dict")["openmp_libraries"])
    print(
        f"{other:<6} {first:<7} {lrcore.get_threading():<7} {elements:>9}{times}"
        f" {ratio:>9.2f} {runtimes:>9}"
    )


def main():
    """Measure each pair in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        other, first, elements = args.row
        measure(other, first, int(elements))
        return
    print(
        "us     imported              elements    other     step    other     step"
        "     ratio  runtimes\n"
        "       first                             alone    alone in turns in turns"
    )
    for other, orders in {"numpy": ["numpy"], "torch": ["torch", "lrcore"]}.items():
        if importlib.util.find_spec(other) is None:
            print(f"{other} is not installed")
            continue
        for elements in (100_000, 1_000_000):
            for first in orders:
                for name in back_ends():
                    row = ["--row", other, first, str(elements)]
                    env = {**os.environ, "LRCORE_THREADING": name}
                    subprocess.run(
                        [sys.executable, __file__, *row], env=env, check=True
                    )


if __name__ == "__main__":
    main()
