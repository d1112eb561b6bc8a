"""Waiting for MPI, which has no timeout of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

_SPINS = 200
"""Tests in a row before the wait offers the processor to others."""

_IDLE = 2000
"""Tests in a row before the wait begins to sleep between them."""

_MOVING = 5e-6
"""Seconds: a test that takes longer has moved bytes, others take 0.3 us.

Where ranks are more than processors, those of Open MPI are longer, too, as it yields.
"""

_LOOK = 0.01
"""Seconds between looks for ranks that have ended."""

_yield = getattr(os, "sched_yield", lambda: time.sleep(0))
"""Lets another process have the processor, if one wants it."""


def wait(
    test: Callable[[], bool], timeout: float, look: Callable[[bool], None]
) -> None:
    """Wait until a test is true: at first without sleeping, as most requests are short.

    Bytes move in a test only, so many at a time: while they do, it does not sleep.

    look : is called now and then, with whether `timeout`, in seconds, is over; it then
        raises an error.
    """
    idle, before = 0, time.monotonic()
    end, next_look = before + timeout, before + _LOOK
    while not test():
        now = time.monotonic()
        idle = 0 if now - before > _MOVING else idle + 1
        if now > next_look:
            look(now > end)
            next_look = now + _LOOK
        if idle > _IDLE:
            time.sleep(min(1e-3, 1e-5 * (idle - _IDLE)))
        elif idle > _SPINS:
            _yield()
        before = time.monotonic()
