"""What holds for all tests: those of tests/, and the examples in docstrings."""

import os
from importlib.util import find_spec
from unittest import mock

import pytest

BESIDE = "PYTEST_XDIST_WORKER" in os.environ  # others, which want the processors, too

# A thread of OpenBLAS's that waits keeps its processor from them: with several in each
# worker, tests of small matrices take many times as long.  NumPy reads this when it is
# loaded, also in the processes that the tests start.
if BESIDE:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A thread of OpenMP's that waits must leave its processor to them.  OpenMP reads this
# when it is loaded; processes that the tests start have the default again.
PASSIVE = {"OMP_WAIT_POLICY": "passive"} if BESIDE else {}
with mock.patch.dict(os.environ, {**PASSIVE, **os.environ}):
    import lrcore

import numpy as np  # noqa: E402 # read the lines above

# Their examples need a package: `make test-packages`, `make test-torch`.
NEEDED_BY = {
    "lrcore/jax_ffi.py": "jax",
    "lrcore/optax": "optax",
    "lrcore/sklearn": "sklearn",
    "lrcore/thinc": "thinc",
    "lrcore/torch": "torch",
    "lrcore/trackers/_tensorboard.py": "tensorboardX",
}
collect_ignore = [path for path, needed in NEEDED_BY.items() if not find_spec(needed)]


@pytest.fixture(scope="session", autouse=True)
def names_for_doctests(doctest_namespace):
    """Let examples say np and lrcore, as their readers would."""
    doctest_namespace["lrcore"] = lrcore
    doctest_namespace["np"] = np
