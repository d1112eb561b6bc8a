# Answers to the core's questions in the middle of a step: the numbers of groups with a
# gauge, directions.

cdef int answer(void *caller, lrc_plan *plan, lrc_ask what) noexcept with gil:
    """The plan's `ask`; it runs in the thread that steps."""
    cdef Answers numbers = <Answers>caller
    try:
        return numbers.answer(plan, what)
    except BaseException as error:
        numbers.error = error
        return LRC_REFUSED


cdef class Answers(Numbers):
    """The numbers of a plan's groups, and the numbers made in the middle of a step."""

    cdef object error  # the exception for which the step was refused
    cdef dict buffers  # what the makers of directions keep from step to step
    cdef Py_ssize_t first  # the first leaf of the plan that is being stepped

    cdef int attach(self, lrc_plan *plan) except -1:
        Numbers.attach(self, plan)
        self.buffers = {}
        for part in self.parts:
            if part.gauge or part.directed:
                plan.ask, plan.caller = answer, <void *>self
        return 0

    # --- in the middle of the step ----------------------------------------------------

    cdef int fail(self) except -1:
        """Raise the error for which the core was told to refuse the step."""
        error, self.error = self.error, None
        raise error

    cdef int answer(self, lrc_plan *plan, lrc_ask what) except LRC_REFUSED:
        if what == LRC_ASK_GAUGED:
            if plan.skip_nonfinite and self.is_lost():
                return LRC_SKIPPED
            self.answer_gauged()
        else:
            with np.errstate(all="ignore"):
                self.answer_directed(plan)
        return LRC_TAKEN

    cdef bint is_lost(self) except -1:
        """Whether the loss, summed over the gathered calls, is not finite."""
        cdef double total = 0 if self.loss is None else self.loss
        for pool in self.pools if self.loss is not None and self.gathered > 0 else ():
            for _, arrays, _, _ in pool or ():
                total += (<double *>data(arrays[0]))[0]
        return not isfinite(total)

    cdef int answer_gauged(self) except -1:
        cdef Py_ssize_t i
        for i in range(len(self.parts)):
            if self.n_sums[i] and self.leaves_of[i]:
                self.set_pools(i, self.first_group[i], self.first_group[i + 1])
        return 0

    cdef int answer_directed(self, lrc_plan *plan) except -1:
        cdef Py_ssize_t leaf
        cdef dict directions = {}  # by part
        for leaf in range(self.first, self.first + <Py_ssize_t>plan.n_tensors):
            i = self.part_of[leaf]
            own = lrc_own(self.plan.tensor + leaf)  # another rank makes those of others
            if self.parts[i].directed and leaf not in self.absent and own:
                directions.setdefault(i, []).append(self.states[leaf][SCRATCH])
        for i in directions:
            self.folded[i].direct(directions[i], self.buffers)
        return 0
