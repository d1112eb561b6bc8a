"""bench/scale.py: its model at the limits, and that it measures what it says.

Of bench/overlap.py, the latter.
"""

import importlib.util
import subprocess
import sys
from math import inf
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"


@pytest.fixture(scope="module")
def scale():
    spec = importlib.util.spec_from_file_location("scale", BENCH / "scale.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_model_at_its_limits(scale):
    free = scale.Machine(latency=0.0, rate=inf, memory=28.0, copies=inf)
    # Without a network's cost, ranks share the step of 28 bytes an element.
    assert scale.cost(100, 4, free) == (0, 0, 25)
    # All bytes go twice through a link where ranks are many.
    link = free._replace(rate=4.0)
    assert scale.cost(100, 2, link).exchange == 100
    assert scale.cost(100, 10**9, link).exchange == pytest.approx(200)
    # One rank sends nothing.
    assert scale.cost(100, 1, link._replace(latency=1.0)) == (0, 0, 100)
    # Messages: to each other rank, of two halves and of the meeting's.
    assert scale.cost(0, 5, free._replace(latency=1.0)).exchange == 2 * 4 * 2
    # What does not fit into a window has the latency of each.
    slow = free._replace(latency=1.0)
    most = scale.row_bytes(2) * 2 // 4
    assert scale.cost(most, 2, slow).exchange == 2 * 2
    assert scale.cost(most + 1, 2, slow).exchange == 2 * 3
    # Ranks that share one core wait for each other.
    assert scale.cost(100, 4, free._replace(cores=1)).step == 100


def test_more_steps_between_meetings_on_slower_networks(scale):
    hs = [
        scale.least_every(10**8, 32, scale.Machine(*link, 1e11, 1e11), 1.2)
        for link in scale.NETWORKS.values()
    ]
    assert hs == sorted(hs, reverse=True)
    at = scale.Machine(*scale.NETWORKS["1 GbE"], 1e11, 1e11)
    assert scale.least_every(10**8, 32, at, 1.2, n_bytes=10**8) < hs[0]
    # Where the step alone takes more than 5 % of the passes, no H is enough.
    assert scale.least_every(10**8, 32, at, 0.5) is None


def printed(name, *arguments):
    """Return what a program of bench/ prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", BENCH / name, *arguments],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_what_it_prints():
    """A rank sends what a ring does, and what aligns its rows."""
    out = printed(
        "scale.py", "--n", "262144", "--ranks", "1", "2", "3", "--rounds", "4"
    )
    rows = [line.split("|")[1:-1] for line in out.splitlines()
            if line.startswith("| 3e+05")]  # fmt: skip
    assert [int(row[1]) for row in rows] == [1, 2, 3]
    assert rows[0][2].strip() == "0 / 0"
    for row in rows[1:]:
        assert 1 <= float(row[2]) < 1.01
    for name in ("1 GbE", "200 Gb InfiniBand"):
        assert out.count(f"| {name} |") == 8


@pytest.mark.trials  # all sizes, by ranks that share processors
def test_what_sizes_and_overlap_print():
    """A rank's 2 MB of a gradient take 0.1 s at 20 MB/s, in a step, too."""
    out = printed(
        "overlap.py", "--rounds", "1", "--n", "1e5", "--passes", "1", "--rate", "2e7"
    )
    tables = [table.splitlines() for table in out.split("\n\n")[1::2]]
    assert [len(table) for table in tables] == [13, 9, 9, 9]
    overlap = [line.split()[-7:-2] for line in tables[3][1:]]
    for _, step, _, exchange, *_ in overlap[2:4] + overlap[6:]:  # as by a network
        assert float(step) > float(exchange) >= 100
