# The largest norms that a step lets pass, if they follow the norms of past steps.


cdef class Limits:
    """Sets the norms of ZClip and AdaGC for a step, from the norms of its gradients.

    The gradients are measured before the step, which need not do it again unless it
    clips: the passes are as many as those of a `clip_norm` that is a number.
    """

    cdef Answers numbers
    cdef lrc_plan *plan
    cdef lrc_report *report  # one for each tensor, when there was a step with limits
    cdef object zclip  # the option, or None
    cdef object counted  # what the option has counted after this step, or None
    cdef list written  # pairs of an array and its value after this step
    cdef readonly bint spike  # whether the last step was left out as a spike

    def __dealloc__(self):
        PyMem_Free(self.report)

    cdef bint asked(self) noexcept:
        """Whether some limit follows past norms; set_all() has been called."""
        return self.zclip is not None or self.numbers.adapts

    cdef int alone(self) except -1:
        """Refuse to step one leaf: the norms of all are needed."""
        if self.zclip is not None:
            refusals.not_alone(f"clip_norm: found {self.zclip!r}, which")
        if self.numbers.adapts:
            refusals.not_alone("clip_tensor_norm: found AdaGC, which")
        return 0

    cdef int set(self) except -1:
        """Set the limits of the step that the plan is ready for.

        `spike` says whether it is to be left out.  Nothing is kept before keep().
        """
        cdef double norm, most
        self.counted, self.written, self.spike = None, [], False
        if self.zclip is not None:
            self.plan.clip_norm = 0
        self.measure()
        norm = self.set_adapted()
        if self.zclip is not None:
            most, self.spike, self.counted = self.zclip._judged(norm)
            self.plan.clip_norm = most
        return 0

    cdef int measure(self) except -1:
        cdef int result
        cdef lrc_plan quiet = self.plan[0]
        if self.report == NULL:
            self.report = <lrc_report *>allocate(quiet.n_tensors, sizeof(lrc_report))
        quiet.report, quiet.gauge_sums = self.report, NULL
        quiet.clip_norm, quiet.skip_nonfinite = 0, False
        if is_short(&quiet):
            result = lrc_measure(&quiet)
        else:
            with nogil:
                result = lrc_measure(&quiet)
        if result == LRC_REFUSED:  # the ranks could not merge what they have measured
            self.numbers.fail()
        return 0

    cdef double set_adapted(self) except -1:
        """Set the limits of arrays; return the norm of all gradients after them."""
        cdef Py_ssize_t i, leaf
        cdef lrc_squares total
        cdef double limited = 0
        cdef list leaves, limits
        memset(&total, 0, sizeof(total))
        for i in range(len(self.numbers.parts)):
            adagc = (<Folded>self.numbers.folded[i]).adagc
            if adagc is None:
                leaves, limits = self.numbers.leaves_of[i], None
            else:
                leaves = self.present_of(i)
                limits = self.limits_of(adagc, leaves)
            for k, leaf in enumerate(leaves):
                if limits is not None and limits[k]:
                    limited = hypot(limited, limits[k])
                else:
                    lrc_add_squares(&total, &self.report[leaf].clipped)
        return hypot(lrc_norm(&total), limited)

    cdef list present_of(self, Py_ssize_t i):
        """The leaves of a part that have a gradient in this step."""
        cdef list present = []
        for leaf in self.numbers.leaves_of[i]:
            if leaf not in self.numbers.absent:
                present.append(leaf)
        return present

    cdef list limits_of(self, adagc, list leaves):
        """The limits of some arrays (0: none), which are set, and the new means of
        their norms are noted."""
        cdef Py_ssize_t leaf
        cdef list steps = [], norms = [], means = [], limits
        for leaf in leaves:
            steps.append(self.numbers.step_of_leaf(leaf))
            norms.append(lrc_norm(&self.report[leaf].clipped))
            means.append(self.mean_of(leaf)[0])
        limits, means = adagc._judged(steps, norms, means)
        for k, leaf in enumerate(leaves):
            mean = self.numbers.states[leaf][NORM_MEAN]
            self.plan.group[self.plan.tensor[leaf].group].clip_norm = limits[k]
            self.written.append((mean, means[k]))
        return limits

    cdef double *mean_of(self, Py_ssize_t leaf) except NULL:
        return <double *>data(self.numbers.states[leaf][NORM_MEAN])

    cdef int keep(self, bint taken) except -1:
        """Keep what the step has counted, unless it was skipped by another option."""
        if taken:
            write(self.written)
        if self.counted is not None and (taken or self.spike):
            self.zclip._counted = self.counted
        return 0

    cdef void leave_out(self) noexcept:
        """Zero the gradients of a spike if the plan asks for it, and report it."""
        cdef size_t i
        cdef lrc_tensor *t
        cdef lrc_squares p
        for i in range(self.plan.n_tensors):
            t = self.plan.tensor + i
            if self.plan.zero_grads and lrc_own(t) > 0:
                memset(t.g, 0, lrc_own(t) * (4 if t.dtype == LRC_F32 else 8))
            if self.plan.report != NULL:
                p = self.plan.report[i].p
                self.plan.report[i] = self.report[i]
                self.plan.report[i].p = p
