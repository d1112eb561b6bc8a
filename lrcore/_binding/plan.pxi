# A plan: the tensors of an optimizer, resolved once, updated by one call in each step.


cdef class Plan:
    """The tensors of an optimizer.

    tree : the flattened params (_shared.trees.Tree), which containers.params() has passed.
    groups : the user's groups.  If one has schedules, its `now(t)` returns the Folded of
        each of its parts; t counts the steps taken.
    parts : (index of the group, part).  A part has `folded`, its numbers (None with
        schedules); the names `rule`, `scale`, `gauge`, `averages`, `pulls` (averages that
        pull), `carries` (carried numbers) and `factoring`, a key of FACTORINGS; and flags.
        `directed`: it makes directions.  `per_array`: each leaf has numbers of its own.
        `carries_per_array`: each leaf carries numbers of its own.  `sums_all`: its gauge
        sums over all parts.
    part_of : the index of each leaf's part.
    states : the arrays of each leaf, by name: those that its part's rule, scale and averages
        name, and GATHERED if gradients are gathered.  They do not own their memory, so that
        it cannot be resized.
    units : (outer, reduced, inner) of each leaf, for adaptive clipping; or None.
    copies : for each leaf, the arrays that its first step sets to copies of it.
    t : steps taken.
    gathered : gradients gathered since the last step.
    to_come : leaves that step_one() still has to step in the current step.
    more_scale : a factor of gradients in addition to the options.
    more_skips : whether a gradient that is not finite skips the step, whatever the options.
    busy : the reason why it cannot step now, or None.
    torn : whether this process was forked in the middle of a step, and does not have the
        thread that was stepping.
    """

    cdef readonly object tree
    cdef readonly tuple groups
    cdef public object t
    cdef readonly int gathered
    cdef public double more_scale
    cdef public bint more_skips
    cdef readonly set to_come
    cdef readonly bint applied  # whether the last step was taken
    cdef Reports reports
    cdef Gradients gradients
    cdef Answers numbers
    cdef object lent  # the reason why it cannot step, other than that it is stepping
    cdef bint stepping
    cdef unsigned int forks  # `forks` when the step began
    cdef unsigned long stepper  # the thread that began it
    cdef object scheduled  # t -> (grad_scale, clip_norm, clip_eps), or None if constant
    cdef double grad_scale
    cdef int accumulate
    cdef lrc_plan plan

    def __cinit__(
        self, tree, tuple groups, tuple parts, part_of, states, units, list copies=[]
    ):
        cdef Py_ssize_t i
        self.tree, self.groups = tree, groups
        self.t, self.more_scale = 0, 1
        self.to_come = set()
        self.plan.n_tensors = len(tree.leaves)
        self.plan.tensor = <lrc_tensor *>allocate(len(tree.leaves), sizeof(lrc_tensor))
        for i, leaf in enumerate(tree.leaves):
            set_tensor(self.plan.tensor + i, leaf.array, parts[part_of[i]][1], states[i])
            if units[i] is not None:
                set_units(self.plan.tensor + i, units[i])
        self.numbers = Answers(tree, groups, parts, list(part_of), list(states))
        self.numbers.copies = copies
        self.numbers.attach(&self.plan)
        self.plan.work = allocate(lrc_plan_tensors(&self.plan), 1)
        arrays = [tuple(state.values()) for state in states]
        self.gradients = Gradients(tree, groups, arrays)
        self.gradients.tensor = self.plan.tensor
        self.reports = Reports()
        self.reports.plan = &self.plan

    def __dealloc__(self):
        PyMem_Free(self.plan.group)
        PyMem_Free(self.plan.tensor)
        PyMem_Free(self.plan.work)
        PyMem_Free(self.plan.report)
        PyMem_Free(self.plan.gauge_sums)

    @property
    def total(self):
        """Elements in all tensors."""
        return self.plan.total

    @property
    def parallel_from(self):
        """The least number of elements for which a step uses more than one thread."""
        return self.plan.parallel_from or LRC_PARALLEL_FROM

    @parallel_from.setter
    def parallel_from(self, size_t n):
        self.plan.parallel_from = n

    @property
    def reported(self):
        """Whether there is a report."""
        return self.reports.exists

    @property
    def reported_rates(self):
        """The learning rate of each group in the last step."""
        return self.reports.rates

    def report_of(self, leaves):
        """The report of some leaves together: see Reports.of."""
        return self.reports.of(leaves)

    @property
    def torn(self):
        return self.stepping and self.forks != forks and self.stepper != survivor

    @property
    def busy(self):
        if self.torn:
            return (
                "this process was forked while another thread was in the middle of a step "
                "of this optimizer, whose arrays may be half updated: restore the params, "
                "then load_state_dict()"
            )
        return "this optimizer is in the middle of a step" if self.stepping else self.lent

    @busy.setter
    def busy(self, why):
        self.lent = why

    def set_options(
        self, *, num_threads, bint keep_subnormals, bint skip_nonfinite, bint zero_grads,
        int accumulate, bint telemetry, numbers=None, scheduled=None,
    ):
        """Set the options of all steps.

        numbers: (grad_scale, clip_norm, clip_eps), 0 for none; or, with schedules,
        `scheduled`, which returns these for the number of steps taken.
        """
        self.reports.keep(telemetry)
        self.plan.num_threads = num_threads
        self.plan.keep_subnormals = keep_subnormals
        self.plan.skip_nonfinite = skip_nonfinite
        self.plan.zero_grads = zero_grads
        self.accumulate = accumulate
        self.scheduled = scheduled
        if scheduled is None:
            self.set_clipping(numbers)

    cdef int set_clipping(self, tuple numbers) except -1:
        self.grad_scale, self.plan.clip_norm, self.plan.clip_eps = numbers
        self.grad_scale /= self.accumulate
        return 0

    # --- a step ------------------------------------------------------------------------

    def step(self, grads, loss=None):
        """Update every tensor and count the step; return whether the step was taken.

        loss: becomes the last of a gauge's sums; the first carried number gathers it.  If an
        argument is refused, nothing has been written.
        """
        self.enter()
        cdef bint gathers = self.gathered + 1 < self.accumulate
        try:
            if self.to_come:
                refusals.unfinished(self.tree, self.to_come)
            self.begin(None if loss is None else loss / self.accumulate)
            if not gathers:
                self.numbers.set_all()
            self.gradients.take(grads)
            if self.plan.zero_grads:
                self.gradients.check_zeroable(grads)
            if gathers:
                self.gather()
                return False
            if self.t == 0:
                self.numbers.copy_all()
            self.reports.save(0, self.plan.n_tensors)
            self.plan.grad_scale = self.grad_scale * self.more_scale
            self.plan.gathered = self.gathered > 0
            self.applied = self.run(&self.plan, 0)
            self.gathered = 0
            self.reports.set(self.numbers.rates)
            if self.applied:  # in Cython, where no signal handler can interrupt it
                self.t = self.numbers.t
                self.numbers.carry(True)
            return self.applied
        finally:
            self.leave()

    def step_one(self, Py_ssize_t i, g):
        """Update leaf i alone, as a part of a step that the other leaves complete; if g is
        None the leaf does not change.  Return whether it was updated."""
        cdef bint applied = False, begins
        if self.numbers.sums:
            refusals.not_alone("this optimizer, or mechanic,")
        self.enter()
        try:
            if self.accumulate > 1:
                refusals.not_alone(f"accumulate: found {self.accumulate}, which")
            if self.to_come and i not in self.to_come:
                refusals.stepped_twice(self.tree, self.to_come, i)
            begins = not self.to_come
            self.begin(None)
            if begins:
                self.numbers.set_all()
            else:
                self.numbers.set_one(i)
            if self.plan.clip_norm:
                refusals.not_alone(f"clip_norm: found {self.plan.clip_norm:g}, which")
            if g is not None:
                self.gradients.take_one(i, g)
                if self.plan.zero_grads and not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>g):
                    refusals.zeroable(["grad"], [g])
            if begins:
                self.reports.save(0, self.plan.n_tensors)
                self.reports.clear()
            else:
                self.reports.save(i, 1)
            if g is not None:
                if self.t == 0:
                    self.numbers.copy(i)
                applied = self.run_one(i)
            if not applied:
                self.numbers.written = []
            if begins:
                self.to_come.update(range(self.plan.n_tensors))
            self.to_come.remove(i)
            self.applied = applied or (self.applied and not begins)
            self.reports.set(self.numbers.rates)
            if not self.to_come:
                self.t = self.numbers.t
            self.numbers.carry(self.applied and not self.to_come)
            return applied
        finally:
            self.leave()

    cdef int enter(self) except -1:
        if self.stepping or self.lent is not None:
            raise RuntimeError(self.busy)
        self.stepping, self.forks = True, forks
        self.stepper = PyThread_get_thread_ident()
        return 0

    cdef int leave(self) except -1:
        self.gradients.release()
        self.stepping = False
        return 0

    cdef int begin(self, loss) except -1:
        self.numbers.begin(self.t + 1, loss)
        self.numbers.gathered = self.gathered
        if self.scheduled is not None and not self.gathered + 1 < self.accumulate:
            self.set_clipping(self.scheduled(self.t))
        return 0

    cdef int gather(self) except -1:
        with nogil:
            lrc_gather(&self.plan, self.gathered == 0)
        self.numbers.gather_loss()
        self.gathered += 1
        return 0

    cdef bint run(self, lrc_plan *plan, Py_ssize_t first) except -1:
        """Step the tensors of a plan, whose first leaf is `first`; return whether the step
        was taken."""
        cdef int result
        cdef int checks = plan.skip_nonfinite
        cdef size_t shared = plan.parallel_from if plan.parallel_from else LRC_PARALLEL_FROM
        self.numbers.set_factors(plan, first)
        plan.skip_nonfinite = checks or self.more_skips
        if plan.total < shared:
            result = lrc_step(plan)  # too short to release the GIL for other threads
        else:
            with nogil:
                result = lrc_step(plan)
        plan.skip_nonfinite = checks
        if result == LRC_REFUSED:
            self.reports.restore()
            error, self.numbers.error = self.numbers.error, None
            raise error
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
        return self.run(&one, i)

    def restart(self, t, int gathered):
        """Continue from t steps taken, `gathered` gradients gathered after them, and no
        step begun by step_one()."""
        if self.torn:
            self.leave()
        self.t, self.gathered, self.reports.exists = t, gathered, False
        self.to_come.clear()
