"""Calls that a signal ends at random moments: its handler raises an error.

As a program, ``python interrupted.py PID`` is the keyboard of the process PID: it
reads moments of `time.monotonic` as doubles, and at each sends SIGINT, as Ctrl-C does.
"""

import os
import random
import signal
import struct
import subprocess
import sys
from time import monotonic, sleep

TRIALS = int(os.environ.get("LRCORE_TRIALS", "100"))
"""How many times each call is interrupted; 10,000 and more show what is rare."""

LIMIT = 60
"""Seconds within which a process gets a processor, also on a busy machine."""


class Interrupted(BaseException):
    """What the handler of a timer raises; as KeyboardInterrupt, it is no Exception."""


class Timer:
    """A timer of this process, whose handler raises Interrupted."""

    error = Interrupted
    ahead = 0.0
    """Seconds between `set` and the first moment that it can be set to."""

    def __enter__(self):
        self.armed, self.before = False, signal.signal(signal.SIGALRM, self)
        return self

    def __exit__(self, *_):
        self.settle()
        signal.signal(signal.SIGALRM, self.before)

    def __call__(self, *_):
        if self.armed:
            raise Interrupted

    def set(self, moment):
        """Let the signal come at a moment."""
        self.armed = True
        signal.setitimer(signal.ITIMER_REAL, max(moment - monotonic(), 1e-6))

    def settle(self):
        """Return when no signal comes any more."""
        self.armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)


class Keyboard:
    """Another process, which sends SIGINT: Python raises KeyboardInterrupt."""

    error = KeyboardInterrupt
    ahead = 3e-4  # the other process wakes in this time, and waits for the moment

    def __enter__(self):
        command = [sys.executable, "-S", __file__, str(os.getpid())]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        self.asked = self.come = 0
        self.before = signal.signal(signal.SIGINT, self)
        return self

    def __exit__(self, *_):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.process.communicate()
        signal.signal(signal.SIGINT, self.before)

    def __call__(self, *_):
        self.come += 1
        raise KeyboardInterrupt

    def set(self, moment):
        """Let the signal come at a moment."""
        self.asked += 1
        self.process.stdin.write(struct.pack("d", moment))

    def settle(self):
        """Return when the signal has come."""
        last = monotonic() + LIMIT
        while self.come < self.asked:
            assert monotonic() < last, "the other process sends nothing"
            sleep(1e-5)


def _duration(begin, times=5):
    """Return the seconds that a call takes, the least of some."""
    least = float("inf")
    for _ in range(times):
        call, start = begin(), monotonic()
        call()
        least = min(least, monotonic() - start)
    return least


def interruptions(begin, trials=TRIALS, source=Timer):
    """Call what begin() returns, and raise an error in it at a random moment.

    Yields after each trial whether the error ended the call.
    """
    rng, seconds = random.Random(0), _duration(begin)
    with source() as signals:
        for _ in range(trials):
            call, ended = begin(), True
            try:
                start = monotonic() + signals.ahead
                signals.set(start + rng.uniform(0, 2 * seconds))
                while monotonic() < start:
                    pass
                call()
                ended = False
                signals.settle()
            except signals.error:
                pass
            signals.settle()
            yield ended


def press(pid):
    """Send SIGINT to this process's parent at each moment that is asked for."""
    while moment := os.read(0, 8):
        while monotonic() < struct.unpack("d", moment)[0]:
            pass
        assert os.getppid() == pid
        os.kill(pid, signal.SIGINT)


if __name__ == "__main__":
    press(int(sys.argv[1]))
