# Options and counts of a plan, made ready, so that a plan takes them without failing.


cdef class Settings:
    """The options of all steps, and the memory that they need.

    project : see Resolved.project.
    zclip : what sets clip_norm from past norms, or None.
    numbers : (grad_scale, clip_norm, clip_eps), 0 for none; or, with schedules,
        `scheduled`, which returns these for the number of steps taken.
    """

    cdef int num_threads, accumulate
    cdef bint keep_subnormals, skip_nonfinite, zero_grads, convert_grads, telemetry
    cdef object project, scheduled, zclip
    cdef double grad_scale, clip_norm, clip_eps
    cdef lrc_report *report  # for `telemetry`; then what the plan had no more use for
    cdef lrc_report *before
    cdef list rates

    def __init__(
        self, plan, *, int num_threads, bint keep_subnormals, bint skip_nonfinite,
        bint zero_grads, bint convert_grads, int accumulate, bint telemetry,
        project=None, numbers=None, scheduled=None, zclip=None,
    ):
        cdef Resolved own = plan
        cdef size_t i, n = own.plan.n_tensors
        self.num_threads, self.accumulate = num_threads, accumulate
        self.keep_subnormals, self.skip_nonfinite = keep_subnormals, skip_nonfinite
        self.zero_grads, self.convert_grads = zero_grads, convert_grads
        self.telemetry, self.project, self.scheduled = telemetry, project, scheduled
        self.zclip = zclip
        if scheduled is None:
            self.grad_scale, self.clip_norm, self.clip_eps = numbers
        if telemetry:
            self.report = <lrc_report *>allocate(n, sizeof(lrc_report))
            self.before = <lrc_report *>allocate(n, sizeof(lrc_report))
            self.rates = [None] * len(own.groups)
            for i in range(n):
                self.report[i].p.mid = NAN

    def __dealloc__(self):
        PyMem_Free(self.report)
        PyMem_Free(self.before)

    cdef void give(self, Resolved to) noexcept:
        """Set a plan's options; this cannot fail.  It is done once."""
        cdef lrc_plan *plan = &to.plan
        if self.telemetry != (plan.report != NULL):
            plan.report, self.report = self.report, plan.report
            to.reports.before, self.before = self.before, to.reports.before
            to.reports.rates, to.reports.exists = self.rates, False
        plan.num_threads = self.num_threads
        plan.keep_subnormals = self.keep_subnormals
        plan.skip_nonfinite = self.skip_nonfinite
        plan.zero_grads = self.zero_grads
        plan.averages_later = self.project is not None
        to.gradients.converts = self.convert_grads
        to.project, to.accumulate = self.project, self.accumulate
        to.scheduled = self.scheduled
        to.limits.zclip, to.limits.spike = self.zclip, False
        if self.scheduled is None:
            to.grad_scale = self.grad_scale
            plan.clip_norm, plan.clip_eps = self.clip_norm, self.clip_eps


cdef class Counts:
    """What a plan has counted after a step, for a plan that goes on from it.

    t : steps taken.  steps : those of each leaf.  gathered : gradients gathered since.
    gathered_scale, gathered_skips : see Resolved.  without_gradient : the leaves of
    which none was gathered.
    """

    cdef object t
    cdef list lags
    cdef set never, to_come
    cdef int gathered
    cdef double gathered_scale
    cdef bint gathered_skips

    def __init__(
        self, t, list steps, int gathered=0, double gathered_scale=1,
        bint gathered_skips=False, without_gradient=(),
    ):
        cdef list lags = []
        for step in steps:
            lags.append(t - step)
        self.t, self.lags = t, lags if any(lags) else None
        self.never, self.to_come = set(without_gradient), set()
        self.gathered, self.gathered_scale = gathered, gathered_scale
        self.gathered_skips = gathered_skips

    cdef void give(self, Plan to) noexcept:
        """Set a plan's counts; this cannot fail.  It is done once.

        It ends a step that a fork has torn.
        """
        if to.lock.torn:
            to.leave()
        to.taken, to.gathered = self.t, self.gathered
        to.gathered_scale, to.gathered_skips = self.gathered_scale, self.gathered_skips
        to.reports.exists = False
        to.never, to.to_come = self.never, self.to_come
        to.numbers.set_lags(self.lags)
