# Tensors that have no gradient in a step.


cdef class Absent:
    """The tensors of a plan that a step leaves out: the core takes them for empty ones,
    and reads and writes nothing of them."""

    cdef lrc_plan *plan
    cdef list leaves  # those that are hidden now, or None
    cdef lrc_tensor *tensor  # by place in `leaves`: the tensor as it was
    cdef lrc_squares *norm  # and the norm of its parameter in the report
    cdef double ignored  # takes the place of a scale's state

    def __dealloc__(self):
        PyMem_Free(self.tensor)
        PyMem_Free(self.norm)

    cdef int reserve(self) except -1:
        """Get the memory that hide() needs."""
        cdef size_t n = self.plan.n_tensors
        if self.tensor == NULL:
            self.tensor = <lrc_tensor *>allocate(n, sizeof(lrc_tensor))
        if self.norm == NULL:
            self.norm = <lrc_squares *>allocate(n, sizeof(lrc_squares))
        return 0

    cdef int hide(self, list leaves) except -1:
        cdef Py_ssize_t i, k
        cdef lrc_tensor *t
        self.reserve()
        for k, i in enumerate(leaves):
            t = self.plan.tensor + i
            self.tensor[k] = t[0]
            if self.plan.report != NULL:
                self.norm[k] = self.plan.report[i].p
            t.n, t.before, t.after, t.units = 0, 0, 0, lrc_units(1, 0, 1)
            if t.scale_state != NULL:
                t.scale_state = &self.ignored
        self.leaves = leaves
        lrc_plan_tensors(self.plan)
        return 0

    cdef void show(self) noexcept:
        cdef Py_ssize_t i, k
        if not self.leaves:
            return
        for k, i in enumerate(self.leaves):
            self.plan.tensor[i] = self.tensor[k]
            if self.plan.report != NULL:
                self.plan.report[i].p = self.norm[k]
        self.leaves = None
        lrc_plan_tensors(self.plan)
