# Answers to the core's questions in the middle of a step: the numbers of groups with a
# gauge, new factors of second moments, directions.

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

    cdef list stats  # by leaf: row_stat and col_stat, or None if it is not factored
    cdef dict read, made  # by leaf: this step's Factors, kept while the core reads them
    cdef object error  # the exception for which the step was refused
    cdef bint factored  # whether some part is factored
    cdef dict buffers  # what the makers of directions keep from step to step
    cdef Py_ssize_t first  # the first leaf of the plan that is being stepped

    def __cinit__(self, *_):
        self.stats = [None] * len(self.params)

    cdef int attach(self, lrc_plan *plan) except -1:
        Numbers.attach(self, plan)
        self.factored = any(part.factoring for part in self.parts)
        self.buffers = {}
        for part in self.parts:
            if part.gauge or part.factoring or part.directed:
                plan.ask, plan.caller = answer, <void *>self
        return 0

    # --- before the step --------------------------------------------------------------

    cdef int set_factors(self, lrc_plan *plan, Py_ssize_t first) except -1:
        """Give the tensors of a plan the factors to read; `first`: its first leaf."""
        cdef Py_ssize_t i, k
        self.first = first
        if not self.factored:
            return 0
        self.read, self.made = {}, {}
        with np.errstate(all="ignore"):  # as in the kernels
            for k in range(<Py_ssize_t>plan.n_tensors):
                i = self.part_of[first + k]
                if self.parts[i].factoring and first + k not in self.absent:
                    before = self.folded[i].factor[0]
                    self.set_leaf_factors(plan.tensor + k, first + k, before)
        return 0

    cdef int set_leaf_factors(self, lrc_tensor *t, Py_ssize_t leaf, before) except -1:
        cdef size_t rows
        factors = before(self.step_of_leaf(leaf), self.params[leaf], self.states[leaf])
        self.read[leaf] = factors
        set_factors(t, factors)
        if self.stats[leaf] is None:
            rows = t.n // factors.n_cols
            self.stats[leaf] = (
                np.zeros(rows), np.zeros(rows // factors.n_rows * factors.n_cols)
            )
        t.factors.row_stat = <double *>data(self.stats[leaf][0])
        t.factors.col_stat = <double *>data(self.stats[leaf][1])
        return 0

    # --- in the middle of the step ----------------------------------------------------

    cdef int answer(self, lrc_plan *plan, lrc_ask what) except LRC_REFUSED:
        if what == LRC_ASK_GAUGED:
            if plan.skip_nonfinite and self.is_lost():
                return LRC_SKIPPED
            self.answer_gauged()
        elif what == LRC_ASK_FACTORED:
            with np.errstate(all="ignore"):
                self.answer_factored(plan)
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

    cdef int answer_factored(self, lrc_plan *plan) except -1:
        cdef Py_ssize_t i, k, leaf
        for k in range(<Py_ssize_t>plan.n_tensors):
            leaf = self.first + k
            i = self.part_of[leaf]
            if self.parts[i].factoring and leaf not in self.absent:
                self.made[leaf], writes = self.folded[i].factor[1](
                    self.step_of_leaf(leaf), self.params[leaf], self.states[leaf],
                    self.read[leaf], *self.stats[leaf],
                )
                set_factors(plan.tensor + k, self.made[leaf])
                self.keep(writes)
        return 0

    cdef int answer_directed(self, lrc_plan *plan) except -1:
        cdef Py_ssize_t leaf
        cdef dict directions = {}  # by part
        for leaf in range(self.first, self.first + <Py_ssize_t>plan.n_tensors):
            i = self.part_of[leaf]
            if self.parts[i].directed and leaf not in self.absent:
                directions.setdefault(i, []).append(self.states[leaf][SCRATCH])
        for i in directions:
            self.folded[i].direct(directions[i], self.buffers)
        return 0

    cdef int keep(self, writes) except -1:
        """Keep (array, value) pairs, to be written at the end of the step."""
        for array, value in writes:
            like = np.empty_like(array, subok=False)  # it has the same memory order
            like[...] = value
            self.written.append((array, like))
        return 0
