# The lock of an optimizer: whether it can be changed, or read as a whole, now.


cdef class Lock:
    """Says who works on an optimizer; `Optimizer` has the rule, under "Threads".

    It is a note that Python's lock (the GIL) guards, not a lock of the system: nobody
    sleeps on it, so nothing hangs, in a forked process either.  A step takes it, since
    it runs the user's code and releases the GIL.  A commit and a snapshot only look at
    it: they run no Python code, so other threads find them done or not begun.

    lent : why the optimizer cannot be used, other than that it is stepping; or None.
    stepping : whether a step runs.
    changes : how many steps have begun, and commits were made.
    torn : whether this process was forked in the middle of a step, and does not have
        the thread that was stepping.
    busy : the reason why it cannot be used now, or None.
    """

    cdef object lent
    cdef bint stepping
    cdef unsigned int forks  # `forks` when the step began
    cdef unsigned long stepper  # the thread that began it
    cdef readonly unsigned long long changes

    @property
    def torn(self):
        return self.stepping and self.forks != forks and self.stepper != survivor

    @property
    def busy(self):
        if self.torn:
            return (
                "this process was forked while another thread was in the middle of a "
                "step of this optimizer, whose arrays may be half updated: restore the "
                "params, then load_state_dict()"
            )
        if self.stepping:
            return "this optimizer is in the middle of a step"
        return self.lent

    cpdef check(self):
        """Raise RuntimeError if the optimizer cannot be used now."""
        if self.stepping or self.lent is not None:
            raise RuntimeError(self.busy)

    cdef int take(self) except -1:
        """Begin a step."""
        if self.stepping or self.lent is not None:
            raise RuntimeError(self.busy)
        self.stepping, self.forks = True, forks
        self.stepper = PyThread_get_thread_ident()
        self.changes += 1
        return 0
