"""A comparison timed in turns, and its table at the end of the run."""

import pytest
from interleave import interleave

_rows = []
_reports = []


@pytest.fixture
def report():
    """report(title, lines): print them at the end of the run."""

    def add(title, lines):
        _reports.append((title, lines))

    return add


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
    write = terminalreporter.write_line
    for title, lines in _reports:
        write("")
        write(f"{title}: median time a step, taken in turns")
        for line in lines:
            write(f"    {line}")
    if not _rows:
        return
    write("")
    write("median time a step, taken in turns; in brackets, over lrcore's")
    for case, times in _rows:
        ours = next(iter(times.values()))
        write(f"{case}")
        for name, t in times.items():
            write(f"    {name:<16} {t * 1e6:>12,.2f} us   ({t / ours:.2f})")
