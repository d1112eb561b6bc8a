"""examples/mpi_digits.py: other numbers of ranks, and a restart, give the same bits."""

import re
import subprocess
from pathlib import Path

import mpiexec

mpiexec.needed()

ROOT = Path(__file__).parents[2]


def run(n, folder, *arguments):
    """Return the first and last step, the accuracy in %, and the digest."""
    example = ROOT / "examples" / "mpi_digits.py"
    done = subprocess.run(
        mpiexec.command(n, example, *arguments, flags=["-W", "error"]),
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        env=mpiexec.ENVIRONMENT,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    found = re.fullmatch(
        r"(\d+) ranks, steps (\d+) to (\d+): ([\d.]+)% of .*, digest (\w{16})\n",
        done.stdout,
    ).groups()
    assert int(found[0]) == max(n, 1)
    return int(found[1]), int(found[2]), float(found[3]), found[4]


def test_four_ranks_then_three_are_as_one_process(tmp_path):
    whole, apart = tmp_path / "whole", tmp_path / "apart"
    whole.mkdir()
    apart.mkdir()
    first, last, share, digest = run(0, whole)  # without mpiexec
    assert (first, last) == (0, 300)
    assert share >= 95
    assert run(4, apart, "--until", "130")[:2] == (0, 130)
    first, last, _, resumed = run(3, apart)
    assert (first, last) == (120, 300)  # from the last checkpoint
    assert resumed == digest
