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
    a change of its `t` too, all its sums are NaN.  Sums are taken strip by strip, of which
    each rank has its own, and then added in the order of strips.
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
                N_SUMS * self.plan.n_strips, sizeof(double)
            )
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
        cdef double *strips
        cdef double scale
        cdef bint short = is_short(self.plan)
        for i in range(<Py_ssize_t>self.plan.n_tensors):
            t = self.plan.tensor + i
            strips = self.strips + N_SUMS * (t.first_strip + t.before // LRC_STRIP)
            state = self.numbers.states[i]
            scale = self.plan.grad_scale * self.plan.group[t.group].coef[0]
            acc = t.acc if self.plan.gathered else NULL
            p, g = data(state[LAST_P]), data(state[LAST_G])
            if short:
                along_tensor(t, acc, scale, p, g, strips)
            else:
                with nogil:
                    along_tensor(t, acc, scale, p, g, strips)
        self.merge()
        for i in range(<Py_ssize_t>self.plan.n_tensors):
            self.add_strips(i)
        return 0

    cdef int merge(self) except -1:
        """Get the sums of the strips of other ranks, if there are any."""
        cdef lrc_merged what
        what.entry, what.size = <char *>self.strips, N_SUMS * sizeof(double)
        what.of_units = 0
        if self.plan.merge != NULL:
            if self.plan.merge(self.plan.merger, self.plan, &what) == LRC_REFUSED:
                self.numbers.fail()
        return 0

    cdef int add_strips(self, Py_ssize_t i) except -1:
        """Set the sums of a tensor."""
        cdef lrc_tensor *t = self.plan.tensor + i
        cdef double *sums = self.sums + N_SUMS * i
        cdef double *strip = self.strips + N_SUMS * t.first_strip
        cdef size_t s
        cdef int k
        sums[0] = sums[1] = sums[2] = 0
        for s in range(lrc_strips(t.n)):
            for k in range(N_SUMS):
                sums[k] += strip[N_SUMS * s + k]
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
    const lrc_tensor *t, void *acc, double scale, void *p, void *g, double *strips
) noexcept nogil:
    """Set the sums of a tensor's own strips, and keep its params in p and its gradient
    in g, of which these have the own elements."""
    if t.dtype == LRC_F32:
        along_strips[float](
            <float *>t.p + t.before, <float *>t.g, <float *>acc, scale, <float *>p,
            <float *>g, lrc_own(t), strips,
        )
    else:
        along_strips[double](
            <double *>t.p + t.before, <double *>t.g, <double *>acc, scale, <double *>p,
            <double *>g, lrc_own(t), strips,
        )


cdef void along_strips(
    const real_t *p, const real_t *g, const real_t *acc, double scale, real_t *last_p,
    real_t *last_g, size_t n, double *strips,
) noexcept nogil:
    """The same of n elements, strip by strip."""
    cdef size_t s, at
    cdef const real_t *more
    for s in range(lrc_strips(n)):
        at = s * LRC_STRIP
        more = acc + at if acc != NULL else NULL
        along(
            p + at, g + at, more, scale, last_p + at, last_g + at,
            min(n - at, <size_t>LRC_STRIP), strips + N_SUMS * s,
        )


cdef void along(
    const real_t *p, const real_t *g, const real_t *acc, double scale, real_t *last_p,
    real_t *last_g, size_t n, double *sums,
) noexcept nogil:
    """Set the sums over a strip's n elements, and keep p and the gradient
    scale (g + acc).

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
        sums[sum] = 0
        for lane in range(LANES):
            sums[sum] += lanes[LANES * sum + lane]


cdef inline void add_lanes(
    const real_t *p, const real_t *g, const real_t *acc, double scale, real_t *last_p,
    real_t *last_g, size_t n, double *lanes,
) noexcept nogil:
    """The same of n <= LANES elements, each added to sums of its own."""
    cdef size_t k
    cdef double moved, now
    cdef real_t summed
    for k in range(n):
        summed = g[k] + acc[k] if acc != NULL else g[k]  # as the step adds them
        now = scale * summed
        moved = <double>p[k] - last_p[k]
        lanes[k] += moved * (now - last_g[k])
        lanes[LANES + k] += moved * moved
        lanes[2 * LANES + k] += moved * last_g[k]
        last_p[k], last_g[k] = p[k], <real_t>now
