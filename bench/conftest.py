"""Interleaved timing, and a table of ratios at the end of the run."""

import time
from statistics import median

import pytest

_rows = []


def interleave(steps, *, seconds=2.0, least=7):
    """Time functions in turn; return {name: median seconds a call}.

    A turn repeats a fast function until it has run for 200 us, so that reading the
    clock does not count.  The functions take turns in every round, so that what else
    happens on the machine happens to all of them.
    """
    repeats = {}
    for name, step in steps.items():
        step()
        start = time.perf_counter()
        step()
        repeats[name] = max(1, int(200e-6 / (time.perf_counter() - start)))
    times = {name: [] for name in steps}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[name]) < least:
        for name, step in steps.items():
            rounds = range(repeats[name])
            start = time.perf_counter()
            for _ in rounds:
                step()
            times[name].append((time.perf_counter() - start) / len(rounds))
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
