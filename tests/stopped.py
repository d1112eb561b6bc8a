"""Calls that a handler of a signal ends by an error, at each moment, one after another.

Python calls handlers when a function begins, after each call, and where a loop goes
back.  Signals at random moments seldom meet the few of these at which it matters.
"""

import dis
import gc
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import lrcore

PACKAGE = Path(lrcore.__file__).parent


class Stopped(BaseException):
    """The error; as KeyboardInterrupt, it is no Exception."""


@cache
def moments(code):
    """The bytecodes of a function before which a handler can be called."""
    names = [(each.offset, each.opname) for each in dis.get_instructions(code)]
    before = ("CALL", "RESUME", "JUMP_BACKWARD")
    return {
        offset for (_, name), (offset, _) in pairwise(names) if name.startswith(before)
    }


class _Stopping:
    """A trace function that raises an error at one place, or notes all of them.

    A place is a bytecode of a file, met for the first time in the call.
    """

    def __init__(self, files, at=None):
        self.files, self.at, self.places = files, at, {}

    def __call__(self, frame, event, _):
        code = frame.f_code
        if code.co_filename not in self.files:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode" and frame.f_lasti in moments(code):
            if self.at is None:
                self.places[code, frame.f_lasti] = None
            elif (code, frame.f_lasti) == self.at:
                self.at = None
                raise Stopped
        return self

    def run(self, call):
        before, collects = sys.gettrace(), gc.isenabled()
        gc.disable()  # what it runs would be stopped, too
        # Python 3.12 traces opcodes only if a frame has asked for them before settrace.
        sys._getframe().f_trace_opcodes = True
        sys.settrace(self)
        try:
            call()
        except Stopped:
            return True
        finally:
            sys.settrace(before)
            if collects:
                gc.enable()
        return False


def stops(begin, *files):
    """Call what begin() returns for each place in files of lrcore, and stop it there.

    Yields after each call whether the error ended it: code may go on after an error.
    """
    names = {str(PACKAGE / file) for file in files}
    every = _Stopping(names)
    every.run(begin())
    assert every.places, "none of these files has been run"
    for place in every.places:
        yield _Stopping(names, place).run(begin())
