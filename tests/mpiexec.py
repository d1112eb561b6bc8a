"""Programs of several ranks of MPI, for the tests that start some."""

import os
import sys
import sysconfig
from pathlib import Path
from shutil import which

import pytest

import lrcore

TESTS = Path(__file__).parent
PATHS = [str(Path(lrcore.__file__).parents[1]), str(TESTS), str(TESTS / "packages")]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([*PATHS, os.environ.get("PYTHONPATH", "")]),
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Open MPI, by itself, refuses root, and more ranks than processors.
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
"""What a process of such a program finds in its environment."""

MPIEXEC = which("mpiexec", path=sysconfig.get_path("scripts")) or which("mpiexec")


def needed():
    """Skip a file of tests where there is no MPI."""
    pytest.importorskip("mpi4py", reason="needs mpi4py: make test-packages")
    if MPIEXEC is None:
        pytest.skip("there is no mpiexec", allow_module_level=True)


def command(n, *arguments, flags=(), ends_all=True):
    """Return the command that runs Python in n ranks.

    n=0: without mpiexec.  flags: of Python.  ends_all: whether MPI ends all ranks when
    one has an error, by ``-m mpi4py``.
    """
    begin = [MPIEXEC, "-n", str(n)] if n else []
    module = ["-m", "mpi4py"] if ends_all else []
    return [*begin, sys.executable, *flags, *module, *arguments]
