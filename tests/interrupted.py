"""Calls that the handler of a signal ends at random moments, by raising an error."""

import os
import random
import signal
from time import perf_counter

TRIALS = int(os.environ.get("LRCORE_TRIALS", "100"))
"""How many times each call is interrupted; 10,000 and more show what is rare."""


class Interrupted(BaseException):
    """What the handler raises; as KeyboardInterrupt, it is no Exception."""


class _Alarm:
    armed = False

    def __call__(self, *_):
        if self.armed:
            raise Interrupted


def _duration(begin, times=5):
    """Return the seconds that a call takes, the least of some."""
    least = float("inf")
    for _ in range(times):
        call, start = begin(), perf_counter()
        call()
        least = min(least, perf_counter() - start)
    return least


def interruptions(begin, trials=TRIALS):
    """Call what begin() returns, and raise an error in it at a random moment.

    Yields after each trial whether the error ended the call.
    """
    alarm, rng, seconds = _Alarm(), random.Random(0), _duration(begin)
    before = signal.signal(signal.SIGALRM, alarm)
    try:
        for _ in range(trials):
            call, period = begin(), rng.uniform(1e-6, 2 * seconds)
            ended = True
            try:
                alarm.armed = True
                signal.setitimer(signal.ITIMER_REAL, period)
                call()
                ended = False
            except Interrupted:
                pass
            finally:
                alarm.armed = False
                signal.setitimer(signal.ITIMER_REAL, 0)
            yield ended
    finally:
        signal.signal(signal.SIGALRM, before)
