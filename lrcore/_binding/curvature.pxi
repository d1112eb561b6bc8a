# The curvature of the loss along the last step, from the gradients before and after it.

ctypedef fused real_t:
    float
    double

cdef enum:
    LANES = 8
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
    """Add the sums over n elements, and keep p and the gradient scale (g + acc).

    Each sum is of LANES sums, so that a processor can add several at once.
    """
    cdef size_t i, k, whole = n - n % LANES
    cdef const real_t *more
    cdef int sum, lane
    cdef double lanes[N_SUMS * LANES]
    memset(lanes, 0, sizeof(lanes))
    for k in range(whole // LANES):
        i = k * LANES
        more = acc + i if acc != NULL else NULL
        add_lanes(p + i, g + i, more, scale, last_p + i, last_g + i, LANES, lanes)
    more = acc + whole if acc != NULL else NULL
    add_lanes(
        p + whole, g + whole, more, scale, last_p + whole, last_g + whole, n - whole,
        lanes,
    )
    for sum in range(N_SUMS):
        for lane in range(LANES):
            sums[sum] += lanes[LANES * sum + lane]


cdef inline void add_lanes(
    const real_t *p, const real_t *g, const real_t *acc, double scale, real_t *last_p,
    real_t *last_g, size_t n, double *lanes,
) noexcept nogil:
    """The same of n <= LANES elements, each added to sums of its own."""
    cdef size_t k
    cdef double moved, now
    for k in range(n):
        now = scale * (<double>g[k] + (acc[k] if acc != NULL else 0))
        moved = <double>p[k] - last_p[k]
        lanes[k] += moved * (now - last_g[k])
        lanes[LANES + k] += moved * moved
        lanes[2 * LANES + k] += moved * last_g[k]
        last_p[k], last_g[k] = p[k], <real_t>now
