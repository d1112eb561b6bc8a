"""Timing in turns."""

import time
from statistics import median


def interleave(steps, *, rounds=15, turn=0.05):
    """Time functions in turns; return {name: median seconds a call}.

    In each of the rounds every function runs for a turn of 50 ms (once at the least),
    so that what else happens on the machine happens to all of them.  A turn begins with
    a call that does not count, which brings its arrays back into the cache where they
    fit.
    """
    repeats, times = {}, {name: [] for name in steps}
    for name, step in steps.items():
        step()
        start = time.perf_counter()
        step()
        repeats[name] = max(1, int(turn / (time.perf_counter() - start)))
    for _ in range(rounds):
        for name, step in steps.items():
            step()
            calls = range(repeats[name])
            start = time.perf_counter()
            for _ in calls:
                step()
            times[name].append((time.perf_counter() - start) / len(calls))
    return {name: median(values) for name, values in times.items()}
