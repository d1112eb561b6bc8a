# Blocks whose end is reached, whatever a handler of a signal raises.


cdef class Ended:
    """The base of a class whose `with` block ends by `_end()`, called again after an
    error.

    `_check()` raises an error if the block cannot be entered; `_begin()` enters it.
    Both ends of the block are C, so that no Python code, in which a handler could raise
    an error, runs between the block and the call of `_end`.  `_end` does its work in
    steps that can be repeated.  An error of its own is raised by the second call.
    """

    def __enter__(self):
        self._check()
        try:
            self._begin()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind, error, trace):
        try:
            self._end()
        except BaseException:
            self._end()
            raise
