"""Another use of an optimizer beside a thread that steps."""

import sys
import threading
from contextlib import suppress

from interrupted import TRIALS


def beside(opt, grads, use, trials=TRIALS, gap=1e-4):
    """Use an optimizer some times, refusals not counted, while another thread steps it.

    The steps are never refused, and one is taken first.

    gap : seconds between two steps, in which the optimizer is free.
    """
    begun, ends = threading.Event(), threading.Event()
    errors, done = [], 0

    def work():
        try:
            while not ends.is_set():
                opt.step(grads)
                begun.set()
                ends.wait(gap)
        except BaseException as error:
            errors.append(error)
            begun.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    try:
        while done < trials and not errors:
            with suppress(RuntimeError):
                use()
                done += 1
    finally:
        ends.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert errors == []
