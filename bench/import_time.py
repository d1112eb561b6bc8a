"""How long ``import lrcore`` takes beyond ``import numpy``.

    python bench/import_time.py [ROUNDS]

New processes import NumPy, then lrcore, and time both: in processor time, and on the
clock, which whatever else the machine does adds to.  The least and the median of all
processes are printed, in milliseconds.
"""

import subprocess
import sys
from statistics import median

CODE = """
from time import perf_counter, process_time
start = process_time(), perf_counter()
import numpy
between = process_time(), perf_counter()
import lrcore
end = process_time(), perf_counter()
print(*(1e3 * (b - a) for a, b in [*zip(start, between), *zip(between, end)]))
"""


def timed():
    """Return NumPy's processor time and clock, then lrcore's."""
    command = [sys.executable, "-c", CODE]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [float(ms) for ms in done.stdout.split()]


def main(rounds=30):
    timed()  # which writes the compiled files, if it may
    columns = list(zip(*(timed() for _ in range(rounds)), strict=True))
    print(f"{rounds} processes, ms   processor: least, median    clock: least, median")
    for name, processor, clock in (("numpy", *columns[:2]), ("lrcore", *columns[2:])):
        print(
            f"{name:<18} {min(processor):>15.1f} {median(processor):>10.1f}"
            f" {min(clock):>15.1f} {median(clock):>9.1f}"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
