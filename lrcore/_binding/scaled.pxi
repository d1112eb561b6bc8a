# The block of `opt.scaled`, which a loss scaler enters in each step.


cdef class Scaled:
    """Multiplies gradients by one more factor in the steps of a `with` block.

    opt : the optimizer; it has `_plan`, which add_group() makes anew.
    skips : whether a gradient that is not finite skips the step.
    """

    cdef object opt
    cdef double factor
    cdef bint skips
    cdef list before  # what was set before each time that the block was entered

    def __init__(self, opt, double factor, bint skips):
        self.opt, self.factor, self.skips, self.before = opt, factor, skips, []

    def __enter__(self):
        cdef Resolved plan = self.opt._plan
        self.before.append((plan.more_scale, plan.more_skips))
        plan.more_scale *= self.factor
        plan.more_skips = plan.more_skips or self.skips

    def __exit__(self, kind, error, trace):  # without a tuple, which needs memory
        cdef Resolved plan = self.opt._plan
        plan.more_scale, plan.more_skips = self.before.pop()
