"""Child processes of one that has stepped by several threads, in each way there is.

LRCORE_TRIALS=4000 python -m pytest tests/test_processes.py
"""

import multiprocessing
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from hanging import printed
from interrupted import TRIALS

from lrcore import _core

pytestmark = pytest.mark.trials

PROGRAM = Path(__file__).with_name("processes.py")
WAYS = ["os.fork", "amid", *multiprocessing.get_all_start_methods()]
TORCH = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
ORDERS = ["alone", *(pytest.param(order, marks=TORCH) for order in ("before", "after"))]


@pytest.mark.parametrize("torch", ORDERS)
@pytest.mark.parametrize("back_end", _core.threadings())
@pytest.mark.parametrize("way", WAYS)
def test_a_child_steps_by_several_threads_and_gives_the_bits_of_its_parent(
    way, back_end, torch
):
    """Parent and child step at the same time, and no child hangs."""
    children = max(TRIALS // (100 if way == "spawn" else 10), 1)
    command = [sys.executable, "-W", "ignore", PROGRAM, way, children, torch]
    done, _ = printed(command, LRCORE_THREADING=back_end).splitlines()
    assert done == f"done {children}"
