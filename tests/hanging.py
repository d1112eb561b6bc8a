"""Programs that may hang: they are ended, with their children."""

import os
import signal
import subprocess

import pytest

LIMIT = 600
"""Seconds after which a program hangs, also on a busy machine."""


def printed(command, **environment):
    """Return what a program prints, without the newline at its end."""
    process = subprocess.Popen(
        [*map(str, command)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        out, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail("it hangs")
    assert process.returncode == 0, out
    return out.strip()
