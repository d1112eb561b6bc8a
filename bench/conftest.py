"""Interleaved timing, and a table of ratios at the end of the run."""

import time
from statistics import median

import pytest

_rows = []


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


@pytest.fixture
def compare(benchmark, request):
    """compare(case, {name: step}): time them in turns; the first is ours."""

    def run(case, steps):
        times = interleave(steps)
        (ours, *_) = steps
        benchmark.extra_info.update(
            {f"{name} / {ours}": t / times[ours] for name, t in times.items()}
        )
        benchmark.pedantic(steps[ours], rounds=5, iterations=1, warmup_rounds=1)
        _rows.append((case, times))
        return times

    return run


def pytest_terminal_summary(terminalreporter):
    if not _rows:
        return
    write = terminalreporter.write_line
    write("")
    write("median time a step, taken in turns; in brackets, over lrcore's")
    for case, times in _rows:
        ours = next(iter(times.values()))
        write(f"{case}")
        for name, t in times.items():
            write(f"    {name:<16} {t * 1e6:>12,.2f} us   ({t / ours:.2f})")
