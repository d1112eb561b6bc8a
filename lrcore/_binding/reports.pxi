# The report of a step, if the caller wants one.


cdef class Reports:
    """The reports of a plan's tensors."""

    cdef list rates  # by group: the learning rate of the last step
    cdef bint exists  # whether a step has run since reports are kept
    cdef lrc_plan *plan
    cdef lrc_report *before  # a copy of n reports, from `first` on, before this step
    cdef size_t first, n

    def __dealloc__(self):
        PyMem_Free(self.before)

    cdef void set(self, list rates) noexcept:
        """Note that a step has run, with these learning rates."""
        cdef Py_ssize_t i
        if self.plan.report != NULL:
            self.exists = True
            for i in range(len(rates)):
                self.rates[i] = rates[i]

    cdef void save(self, size_t first, size_t n) noexcept:
        """Copy n reports, for restore(): a plan that asks may be refused after it has
        measured."""
        if self.plan.report != NULL and self.plan.ask != NULL:
            self.first, self.n = first, n
            memcpy(self.before, self.plan.report + first, n * sizeof(lrc_report))

    cdef void restore(self) noexcept:
        cdef size_t size = self.n * sizeof(lrc_report)
        if self.plan.report != NULL:
            memcpy(self.plan.report + self.first, self.before, size)

    cdef void clear(self) noexcept:
        """Clear all reports, except the norms of the params."""
        cdef size_t i
        cdef lrc_squares p
        for i in range(self.plan.n_tensors if self.plan.report != NULL else 0):
            p = self.plan.report[i].p
            memset(self.plan.report + i, 0, sizeof(lrc_report))
            self.plan.report[i].p = p

    cdef tuple of(self, leaves):
        """For some leaves together (None: all): the norms of gradient, clipped
        gradient, params and update, and the number of gradient elements that are not
        finite."""
        cdef lrc_report all
        cdef Py_ssize_t i
        memset(&all, 0, sizeof(all))
        if leaves is None:
            for i in range(<Py_ssize_t>self.plan.n_tensors):
                add_report(&all, self.plan.report + i)
        else:
            for i in leaves:
                add_report(&all, self.plan.report + i)
        return (
            lrc_norm(&all.g), lrc_norm(&all.clipped), lrc_norm(&all.p),
            lrc_norm(&all.u), all.nonfinite,
        )


cdef void add_report(lrc_report *all, const lrc_report *r) noexcept:
    lrc_add_squares(&all.g, &r.g)
    lrc_add_squares(&all.clipped, &r.clipped)
    lrc_add_squares(&all.p, &r.p)
    lrc_add_squares(&all.u, &r.u)
    all.nonfinite += r.nonfinite
