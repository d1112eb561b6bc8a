"""A fixture for tables that are printed at the end of the run."""

import pytest

_reports = []


@pytest.fixture
def report():
    """report(title, lines): print them at the end of the run."""

    def add(title, lines):
        _reports.append((title, lines))

    return add


def pytest_terminal_summary(terminalreporter):
    write = terminalreporter.write_line
    for title, lines in _reports:
        write("")
        write(f"{title}: median time a step, taken in turns")
        for line in lines:
            write(f"    {line}")
