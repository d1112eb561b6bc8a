# A plan: one call updates the tensors of an optimizer in each step.


cdef class Plan(Resolved):
    """Steps the tensors of an optimizer; Resolved describes the arguments."""

    def step(self, grads, loss=None):
        """Update every tensor and count the step; return whether the step was taken.

        loss: becomes the last of a gauge's sums; the first carried number gathers it.
        If an argument is refused, nothing has been written.
        """
        self.lock.take()
        cdef bint gathers = self.gathered + 1 < self.accumulate
        try:
            if self.to_come:
                refusals.unfinished(self.tree, self.to_come)
            self.begin(None if loss is None else loss / self.accumulate, gathers)
            if not gathers:
                self.numbers.set_all()
            self.gradients.take(grads)
            if self.plan.zero_grads:
                self.gradients.check_zeroable()
            if gathers:
                self.gather()
                return False
            if self.gathered:
                self.convert_gathered()
            return self.update(self.accumulate, self.more_scale, self.skips())
        finally:
            self.leave()

    def flush(self, loss=None):
        """Take the step by the mean of the gradients gathered so far, with the factors
        of their calls; return whether it was taken.  loss: see step()."""
        self.lock.take()
        try:
            if self.to_come:
                refusals.unfinished(self.tree, self.to_come)
            if self.gathered == 0:
                return False
            self.begin(loss, False)
            self.numbers.set_all()
            self.gradients.take_none()
            return self.update(self.gathered, self.gathered_scale, self.skips())
        finally:
            self.leave()

    cdef bint skips(self) noexcept:
        """Whether a gradient that is not finite skips the step: see more_skips."""
        return self.more_skips or (self.gathered > 0 and self.gathered_skips)

    cdef bint update(self, int calls, double more_scale, bint skips) except -1:
        """Update the tensors by the mean of their gradients and those gathered, of
        `calls` calls, times more_scale; count the step.  skips: see more_skips."""
        cdef list absent = None, after = None
        cdef set never = set() if self.gathered else None
        cdef bint taken, limited
        if self.gradients.some_absent:
            absent = self.gradients.absent()
            if self.gathered:
                filled, without = [], []
                for i in absent:
                    (without if i in self.never else filled).append(i)
                self.gradients.fill(filled)
                absent = without
            self.numbers.absent = set(absent)
            after = self.numbers.lags_after(absent)
        self.numbers.copy_all()
        self.reports.save(0, self.plan.n_tensors)
        self.plan.grad_scale = self.grad_scale / calls * more_scale
        self.plan.gathered = self.gathered > 0
        if absent is not None:
            self.absent.hide(absent)
        limited = self.limits.asked()
        if limited:
            self.limits.set()
        if self.curvature.sums != NULL:
            self.curvature.take()
        if limited and self.limits.spike:
            self.limits.leave_out()
            if self.plan.zero_grads:
                self.gradients.zero_sources()
            self.applied = taken = False
        else:
            self.applied = taken = self.run(&self.plan, 0, skips)
        if limited:
            self.limits.keep(taken)
        if taken:
            self.spread()
        if absent is not None:
            self.applied = taken and len(absent) < <Py_ssize_t>self.plan.n_tensors
        if self.gathered > 0:
            self.gathered, self.never = 0, never
        self.reports.set(self.numbers.rates)
        error = None
        if taken:  # in Cython, where no signal handler can interrupt it
            self.taken = self.numbers.t
            self.numbers.carry(True)
            if self.project is not None and self.applied:
                error = self.end_by_projection()
        if absent is not None:
            self.absent.show()
            if taken:
                self.numbers.leave_out(absent, after)
        if error is not None:
            raise error
        return self.applied

    cdef object end_by_projection(self):
        """Let the user's function change the params, then update their averages.
        Return the error that it raised, or None: the step is complete in any case."""
        error = None
        try:
            found = self.project(self.params)
            if found is not None or not self.gradients.are_in_place():
                refusals.projection(self.tree, found)
        except BaseException as raised:
            error = raised
        if not self.gradients.are_whole():  # the averages would read freed memory
            return error if error is not None else refusals.moved(self.tree)
        if self.averages:
            if is_short(&self.plan):
                lrc_update_averages(&self.plan)
            else:
                with nogil:
                    lrc_update_averages(&self.plan)
            self.spread()  # Lookahead may have changed them
        return error

    cdef int spread(self) except -1:
        """Give the params that were stepped here to other ranks, if there are any."""
        return 0

    def step_one(self, Py_ssize_t i, g):
        """Update leaf i alone, as a part of a step that the other leaves complete; if g
        is None the leaf does not change.  Return whether it was updated."""
        cdef bint applied = False, begins, ends
        cdef Py_ssize_t k
        cdef set to_come
        cdef list left = [], after, others, after_others
        leaf = i
        if self.numbers.sums:
            refusals.not_alone("this optimizer, or mechanic,")
        self.lock.take()
        try:
            if self.accumulate > 1:
                refusals.not_alone(f"accumulate: found {self.accumulate}, which")
            if self.to_come and i not in self.to_come:
                refusals.stepped_twice(self.tree, self.to_come, i)
            begins = not self.to_come
            self.begin(None, False)
            if begins:
                self.numbers.set_all()
            else:
                self.numbers.set_one(i)
            self.limits.alone()
            if self.curvature.sums != NULL:
                refusals.not_alone("curvature: found True, which")
            if self.plan.clip_norm:
                refusals.not_alone(f"clip_norm: found {self.plan.clip_norm:g}, which")
            if g is not None:
                g = as_array(g, self.gradients.params[i], self.gradients.converts)
                self.gradients.take_one(i, g)
                if self.plan.zero_grads:
                    self.gradients.check_sources()
                if self.plan.zero_grads and not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>g):
                    refusals.zeroable(["grad"], [g])
            # All memory is asked for before anything is written.
            to_come = self.to_come
            if begins:
                to_come = set(range(<Py_ssize_t>self.plan.n_tensors))
            ends = len(to_come) == 1
            if ends:
                self.absent.reserve()
                for k in range(<Py_ssize_t>self.plan.n_tensors if not begins else 0):
                    if self.left_out[k]:
                        left.append(k)
            others = [*left, leaf] if ends else left
            after = self.numbers.lags_after(left)
            after_others = self.numbers.lags_after(others)
            if begins:
                memset(self.left_out, 0, self.plan.n_tensors * sizeof(bint))
                self.reports.save(0, self.plan.n_tensors)
                self.reports.clear()
            else:
                self.reports.save(i, 1)
            if g is not None:
                self.numbers.copy(i)
                applied = self.run_one(i)
            if not applied:
                self.left_out[i] = True
                left, after = others, after_others
            self.to_come = to_come
            self.to_come.remove(leaf)
            self.applied = applied or (self.applied and not begins)
            self.reports.set(self.numbers.rates)
            self.numbers.carry(self.applied and not self.to_come)
            if not self.to_come:
                self.end_round(left, after)
            return applied
        finally:
            self.leave()

    cdef int end_round(self, list left_out, list after) except -1:
        """Count a step that step_one() has completed; see Layout.leave_out."""
        error = None
        self.taken = self.numbers.t
        if self.project is not None and self.applied:
            self.absent.hide(left_out)
            error = self.end_by_projection()
            self.absent.show()
        self.numbers.leave_out(left_out, after)
        if error is not None:
            raise error
        return 0

    cdef void leave(self) noexcept:
        if self.gradients.some_absent:
            self.gradients.some_absent = False
            self.absent.show()
            self.numbers.absent.clear()
        self.gradients.release()
        self.lock.stepping = False

    cdef int begin(self, loss, bint gathers) except -1:
        self.numbers.begin(self.taken + 1, loss)
        self.numbers.gathered = self.gathered
        if self.numbers.stale:
            self.numbers.lay_out()
        if self.scheduled is not None and not gathers:
            self.set_clipping(self.scheduled(self.taken))
        return 0

    cdef int gather(self) except -1:
        cdef list absent = self.gradients.absent() if self.gradients.some_absent else []
        cdef Py_ssize_t i
        if self.gathered == 0:
            self.never = set(absent)
            for i in absent:
                p = self.gradients.params[i]
                memset(self.plan.tensor[i].acc, 0, cnp.PyArray_NBYTES(<cnp.ndarray>p))
        elif self.never:
            self.never.intersection_update(absent)
        if self.gathered:
            self.convert_gathered()
        else:
            self.gathered_scale, self.gathered_skips = self.more_scale, False
        self.gathered_skips = self.gathered_skips or self.more_skips
        if absent:
            self.absent.hide(absent)
        if is_short(&self.plan):
            lrc_gather(&self.plan, self.gathered == 0)
        else:
            with nogil:
                lrc_gather(&self.plan, self.gathered == 0)
        if self.plan.zero_grads:
            self.gradients.zero_sources()
        self.absent.show()
        self.numbers.gather_loss()
        self.gathered += 1
        return 0

    cdef int convert_gathered(self) except -1:
        """Let the gathered gradients need the factor of this call."""
        if self.gathered_scale != self.more_scale:
            for array in self.gathered_in:
                multiply(<cnp.ndarray>array, self.gathered_scale / self.more_scale)
            self.gathered_scale = self.more_scale
        return 0

    cdef bint run(self, lrc_plan *plan, Py_ssize_t first, bint skips) except -1:
        """Step the tensors of a plan, whose first leaf is `first`; return whether the
        step was taken.  skips: see more_skips."""
        cdef int result
        cdef int checks = plan.skip_nonfinite
        self.numbers.first = first
        plan.skip_nonfinite = checks or skips
        if is_short(plan):
            result = lrc_step(plan)
        else:
            with nogil:
                result = lrc_step(plan)
        plan.skip_nonfinite = checks
        if result == LRC_REFUSED:
            self.reports.restore()
            self.numbers.fail()
        if plan.zero_grads:
            self.gradients.zero_sources()
        return result == LRC_TAKEN

    cdef bint run_one(self, Py_ssize_t i) except -1:
        """Step tensor i by itself."""
        cdef lrc_plan one = self.plan
        cdef lrc_tensor tensor = self.plan.tensor[i]
        one.tensor, one.n_tensors = &tensor, 1
        one.group, one.n_groups, tensor.group = one.group + tensor.group, 1, 0
        one.grad_scale = self.grad_scale * self.more_scale
        if one.report != NULL:
            one.report += i
        lrc_plan_tensors(&one)
        return self.run(&one, i, self.more_skips)


cdef bint is_short(const lrc_plan *plan) noexcept:
    """Whether a step takes less time than other threads would gain by the GIL."""
    cdef size_t least = plan.parallel_from
    return plan.total < (least if least else LRC_PARALLEL_FROM)
