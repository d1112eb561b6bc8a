"""Processes of the bench, which run one of its modules.

A process reads requests and answers each with a line of JSON.  It waits in between,
and ends when its input does: also when the bench is killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from lrcore.bench.cases import FailedError


class Process:
    """A process as the bench sees it.

    It is no member of the bench's process group, so Ctrl-C reaches the bench alone,
    which ends it.  It stays in the bench's session, as Linux can divide the processors
    by session.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
        self.popen = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": path},
            process_group=0,
        )

    def ask(self, request: Mapping[str, Any]) -> Any:
        """Send a request; return the answer, or raise FailedError."""
        assert self.popen.stdin is not None
        with suppress(BrokenPipeError):  # `answer` says how the process ended
            self.popen.stdin.write(json.dumps(request) + "\n")
            self.popen.stdin.flush()
        return self.answer()

    def answer(self) -> Any:
        """Wait for the next answer; raise FailedError if there is none."""
        assert self.popen.stdout is not None
        if not (line := self.popen.stdout.readline()):
            self.popen.wait()
            self.check()
        found = json.loads(line)
        if "failed" in found:
            raise FailedError(found["failed"])
        return found

    def check(self) -> None:
        """Raise FailedError if the process has ended."""
        status = self.popen.poll()
        if status is not None:
            how = f"ended by {signal.Signals(-status).name}" if status < 0 else (
                f"ended with status {status}"
            )  # fmt: skip
            raise FailedError(f"its process {self.popen.pid} {how}")

    def processor_time(self) -> float:
        """Return the seconds of processor time that its threads have taken."""
        stat = Path(f"/proc/{self.popen.pid}/stat").read_text("utf-8", "replace")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End it."""
        self.popen.kill()
        self.popen.wait()
        for pipe in filter(None, (self.popen.stdin, self.popen.stdout)):
            with suppress(BrokenPipeError):
                pipe.close()


def answers_only() -> TextIO:
    """Return the output for answers; all else that is printed becomes an error output.

    Libraries print, also from C.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def send(answers: TextIO, answer: Mapping[str, Any]) -> None:
    """Send an answer to the bench."""
    print(json.dumps(answer), file=answers, flush=True)
