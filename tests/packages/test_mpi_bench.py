"""The programs of bench/ that run over MPI print what they say."""

import subprocess
from pathlib import Path

import mpiexec
import pytest

mpiexec.needed()

BENCH = Path(__file__).parents[2] / "bench"


def printed(name, *arguments):
    """Return the lines that a program prints in 2 ranks."""
    done = subprocess.run(
        mpiexec.command(2, BENCH / name, *arguments, flags=["-W", "error"]),
        env=mpiexec.ENVIRONMENT, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_what_steps_cost():
    lines = printed("scale.py", "--mpi", "--n", "262144", "--rounds", "1")
    (row,) = [line.split("|")[1:-1] for line in lines if "MPI |" in line]
    assert row[:2] == [" 3e+05, MPI ", " 2 "]
    assert 1 <= float(row[2]) < 1.01


@pytest.mark.trials  # all sizes, by ranks that share processors
def test_sizes_and_overlap():
    lines = printed(
        "overlap.py", "--mpi", "--rounds", "1", "--n", "1e5", "--passes", "1"
    )
    assert lines[0].startswith("MPI: ms of 1e+05 float32 there and back, by window")
    assert len(lines) == 15 + 2 * 12 + 12


def test_calls():
    from mpi4py import MPI

    if MPI.Get_version() < (4, 0):
        pytest.skip("there may be no persistent collectives")
    rows = [line.split() for line in printed("mpi_calls.py", "--rounds", "8")[3:]]
    wanted = [8, *(1 << k for k in (10, 14, 16, 18, 20, 22, 24))]
    assert [int(row[0]) for row in rows] == wanted
    assert all(len(row) == 7 for row in rows)
