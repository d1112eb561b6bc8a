"""Peers of the bench that tell where they are, fail, or take other steps."""

import os
import signal
from pathlib import Path
from typing import ClassVar

from lrcore.bench import peers


class Located(peers.Lrcore):
    """One that tells in which process it is."""

    name = "located"
    options: ClassVar = {}

    def __init__(self, job):
        super().__init__(job)
        print("what a library prints is no answer")
        os.write(1, b"nor is this\n")
        Path(os.environ["LRCORE_TEST_PIDS"], str(os.getpid())).touch()


class Broken(peers.Peer):
    name = "broken"

    def __init__(self, job):
        raise RuntimeError("out of order")


class Crashing(peers.Lrcore):
    """One whose process dies when it is compared."""

    name = "crashing"

    def __init__(self, job):
        os.kill(os.getpid(), signal.SIGSEGV)


class CrashingLater(Crashing):
    """One whose process dies when it is made."""

    name = "crashing later"
    checked = False


class Liar(peers.Lrcore):
    name = "liar"
    options: ClassVar = {"betas": (0.9, 0.99)}
