# The curvature of the loss along the last step, from the gradients before and after it.

cdef class Curvature:
    """Keeps the params p' and gradients g' of the last step, and sums over the change.

    The arrays are states, under LAST_P and LAST_G.  All sums of a tensor are NaN in its
    first step, also in the one that counts as its first after a change of its `t`.
    Sums are taken strip by strip, and then added in the order of strips.  Each rank
    takes those of its own strips.
    """

    cdef Answers numbers
    cdef lrc_plan *plan
    cdef double *strips  # by strip of the plan
    cdef double *sums  # by tensor; NULL if nothing is kept

    def __dealloc__(self):
        PyMem_Free(self.strips)
        PyMem_Free(self.sums)

    cdef int attach(self) except -1:
        """Make room for the sums, if the states have the arrays; the strips of the plan
        are numbered."""
        cdef size_t n = self.plan.n_tensors
        if n > 0 and LAST_G in self.numbers.states[0]:
            self.strips = <double *>allocate(
                LRC_CHANGES * self.plan.n_strips, sizeof(double)
            )
            self.sums = <double *>allocate(LRC_CHANGES * n, sizeof(double))
            for i in range(LRC_CHANGES * n):
                self.sums[i] = NAN
        return 0

    cdef int take(self) except -1:
        """Sum over the change since the last step, before the plan takes another one.

        The plan is ready.  Absent tensors keep their last gradient: their sums are 0.
        """
        cdef Py_ssize_t i
        cdef lrc_tensor *t
        cdef double *strips
        cdef double scale
        cdef bint short = is_short(self.plan)
        for i in range(<Py_ssize_t>self.plan.n_tensors):
            t = self.plan.tensor + i
            strips = self.strips + LRC_CHANGES * (t.first_strip + t.before // LRC_STRIP)
            state = self.numbers.states[i]
            scale = self.plan.grad_scale * self.plan.group[t.group].coef[0]
            acc = t.acc if self.plan.gathered else NULL
            p, g = data(state[LAST_P]), data(state[LAST_G])
            if short:
                lrc_sum_changes(t, acc, scale, p, g, strips)
            else:
                with nogil:
                    lrc_sum_changes(t, acc, scale, p, g, strips)
        self.merge()
        for i in range(<Py_ssize_t>self.plan.n_tensors):
            self.add_strips(i)
        return 0

    cdef int merge(self) except -1:
        """Get the sums of the strips of other ranks, if there are any."""
        cdef lrc_merged what
        what.entry, what.size = <char *>self.strips, LRC_CHANGES * sizeof(double)
        what.of_units = 0
        if self.plan.merge != NULL:
            if self.plan.merge(self.plan.merger, self.plan, &what) == LRC_REFUSED:
                self.numbers.fail()
        return 0

    cdef int add_strips(self, Py_ssize_t i) except -1:
        """Set the sums of a tensor."""
        cdef lrc_tensor *t = self.plan.tensor + i
        cdef double *sums = self.sums + LRC_CHANGES * i
        cdef double *strip = self.strips + LRC_CHANGES * t.first_strip
        cdef size_t s
        cdef int k
        sums[0] = sums[1] = sums[2] = 0
        for s in range(lrc_strips(t.n)):
            for k in range(LRC_CHANGES):
                sums[k] += strip[LRC_CHANGES * s + k]
        if t.n > 0 and self.numbers.step_of_leaf(i) == 1:
            sums[0] = sums[1] = sums[2] = NAN
        return 0

    cdef tuple of(self, leaves):
        """The sums over some leaves together (None: all)."""
        cdef double a = 0, b = 0, c = 0
        cdef Py_ssize_t i
        for i in range(<Py_ssize_t>self.plan.n_tensors) if leaves is None else leaves:
            a += self.sums[LRC_CHANGES * i]
            b += self.sums[LRC_CHANGES * i + 1]
            c += self.sums[LRC_CHANGES * i + 2]
        return a, b, c
