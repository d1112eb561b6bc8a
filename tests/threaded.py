"""What the tests of threads share: the back ends, and processes that use one."""

import os
import subprocess
import sys
import textwrap

import pytest

from lrcore import _core

BACK_ENDS = _core.threadings()
each = pytest.mark.parametrize("back_end", BACK_ENDS)


def run(command, back_end="pool", **environment):
    done = subprocess.run(
        [*command],
        env={**os.environ, "LRCORE_THREADING": back_end, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def python(script, back_end="pool", **environment):
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)]
    return run(command, back_end, **environment)
