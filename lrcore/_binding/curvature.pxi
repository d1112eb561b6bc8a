# The curvature of the loss along the last step, from the gradients before and after it.

ctypedef fused real_t:
    float
    double

cdef enum:
    N_SUMS = 3  # for each tensor: dp dg, dp dp, dp g', of dp = p - p' and dg = g - g'


cdef class Curvature:
    """Keeps the params p' and gradients g' of the last step, and sums over the change.

    The arrays are states, under LAST_P and LAST_G.  In the first step of a tensor, after
    a change of its `t` too, all its sums are NaN.
    """

    cdef Answers numbers
    cdef lrc_plan *plan
    cdef double *sums  # by tensor; NULL if nothing is kept

    def __dealloc__(self):
        PyMem_Free(self.sums)

    cdef int attach(self) except -1:
        """Make room for the sums, if the states have the arrays."""
        cdef size_t n = self.plan.n_tensors
        if n > 0 and LAST_G in self.numbers.states[0]:
            self.sums = <double *>allocate(N_SUMS * n, sizeof(double))
            for i in range(N_SUMS * n):
                self.sums[i] = NAN
        return 0

    cdef int take(self) except -1:
        """Sum over the change since the last step, before the plan takes another one.

        The plan is ready.  Absent tensors keep their last gradient: their sums are 0.
        """
        cdef Py_ssize_t i
        cdef lrc_tensor *t
        cdef double *sums
        cdef double scale
        cdef bint short = is_short(self.plan)
        for i in range(<Py_ssize_t>self.plan.n_tensors):
            t, sums = self.plan.tensor + i, self.sums + N_SUMS * i
            state = self.numbers.states[i]
            scale = self.plan.grad_scale * self.plan.group[t.group].coef[0]
            acc = t.acc if self.plan.gathered else NULL
            p, g = data(state[LAST_P]), data(state[LAST_G])
            if short:
                along_tensor(t, acc, scale, p, g, sums)
            else:
                with nogil:
                    along_tensor(t, acc, scale, p, g, sums)
            if t.n > 0 and self.numbers.step_of_leaf(i) == 1:
                sums[0] = sums[1] = sums[2] = NAN
        return 0

    cdef tuple of(self, leaves):
        """The sums over some leaves together (None: all)."""
        cdef double a = 0, b = 0, c = 0
        cdef Py_ssize_t i
        for i in range(<Py_ssize_t>self.plan.n_tensors) if leaves is None else leaves:
            a += self.sums[N_SUMS * i]
            b += self.sums[N_SUMS * i + 1]
            c += self.sums[N_SUMS * i + 2]
        return a, b, c


cdef void along_tensor(
    const lrc_tensor *t, void *acc, double scale, void *p, void *g, double *sums
) noexcept nogil:
    """Set a tensor's sums, and keep its params in p and its gradient in g."""
    sums[0] = sums[1] = sums[2] = 0
    if t.dtype == LRC_F32:
        along[float](
            <float *>t.p, <float *>t.g, <float *>acc, scale, <float *>p, <float *>g,
            t.n, sums,
        )
    else:
        along[double](
            <double *>t.p, <double *>t.g, <double *>acc, scale, <double *>p,
            <double *>g, t.n, sums,
        )


cdef void along(
    const real_t *p, const real_t *g, const real_t *acc, double scale, real_t *last_p,
    real_t *last_g, size_t n, double *sums,
) noexcept nogil:
    """Add the sums over n elements, and keep p and the gradient scale (g + acc)."""
    cdef size_t i
    cdef double moved, now, turned = 0, length = 0, slope = 0
    for i in range(n):
        now = scale * (<double>g[i] + (acc[i] if acc != NULL else 0))
        moved = <double>p[i] - last_p[i]
        turned += moved * (now - last_g[i])
        length += moved * moved
        slope += moved * last_g[i]
        last_p[i], last_g[i] = p[i], <real_t>now
    sums[0] += turned
    sums[1] += length
    sums[2] += slope
