# Mechanic's numbers; lrcore/optimizers/base/mechanic.py has the equations.

cdef enum:
    N_BETAS = 6

cdef struct Scales:  # the numbers that a group carries, in the order of its array
    double s[N_BETAS]
    double r[N_BETAS]
    double m[N_BETAS]
    double v[N_BETAS]


cdef class Tune:
    """Makes the numbers of a step.

    It is called with the array of carried numbers and the sums of the gauge (g.delta,
    |g|^2, |p|^2, p.delta).  It returns the new carried numbers, as bytes, and (keep, s
    before, s now).

    least : s_init / 6.  decay : mechanic_decay.  betas : of the six scales.
    """

    cdef double least, decay, eps
    cdef double betas[N_BETAS]

    def __init__(self, double least, double decay, double eps, tuple betas):
        cdef int k
        self.least, self.decay, self.eps = least, decay, eps
        for k in range(N_BETAS):
            self.betas[k] = betas[k]

    def __call__(self, cnp.ndarray array, tuple sums):
        cdef Scales scales
        cdef double along, gg, pp, along_p
        along, gg, pp, along_p = sums
        memcpy(&scales, data(array), sizeof(scales))
        stage = self.advance(&scales, along, gg, pp, along_p)
        return (<char *>&scales)[:sizeof(scales)], stage

    @cython.cdivision(True)  # no denominator is 0
    cdef tuple advance(
        self, Scales *scales, double along, double gg, double pp, double along_p
    ):
        """Advance the scales, unless they would not stay finite."""
        cdef Scales new
        cdef double keep, weight, h, size, square, beta, bound, bounded
        cdef double before = 0, now = 0, all_of_them
        cdef int k
        for k in range(N_BETAS):
            before += scales.s[k]
        keep = before / (before + self.eps)
        weight = self.decay * before * sqrt(gg) / (sqrt(pp) + self.eps)
        h = keep * (along + weight * along_p)
        size, square = fabs(h) + self.eps, h * h
        all_of_them = square
        for k in range(N_BETAS):
            beta, bound = self.betas[k], scales.m[k]
            bounded = bound if h > bound else -bound if h < -bound else h
            new.r[k] = beta * scales.r[k] + bounded * scales.s[k]
            new.m[k] = beta * bound if beta * bound >= size else size
            new.v[k] = beta * beta * scales.v[k] + square
            new.s[k] = self.least * new.m[k] + (new.r[k] if new.r[k] > 0 else 0.0)
            new.s[k] = new.s[k] / (sqrt(new.v[k]) + self.eps)
            now += new.s[k]
            all_of_them += new.s[k] + new.r[k] + new.m[k] + new.v[k]
        if not isfinite(all_of_them):
            return keep, before, before
        scales[0] = new
        return keep, before, now
