# A plan of one of several ranks: it steps its own elements, and meets the others.

cdef int merge(void *merger, lrc_plan *plan, const lrc_merged *what) noexcept with gil:
    """The plan's `merge`; it runs in the thread that steps."""
    cdef ShardedPlan own = <ShardedPlan>merger
    try:
        own.merge_entries(what)
        return LRC_TAKEN
    except BaseException as error:
        own.numbers.error = error
        return LRC_REFUSED


cdef object flat_none = np.empty(0)  # stands for a gradient that is on its way


cdef class ShardedPlan(Plan):
    """Steps the own elements of the tensors: see optimizers/base/sharded.py.

    ranks : its Ranks.
    """

    cdef list reduced  # the own pieces of the gradients, which the tensors point to
    cdef dict came  # by leaf: whether step_one() has had a gradient of it
    cdef tuple present  # which leaves have a gradient in this step
    cdef object refused  # the first error of a gradient that step_one() has had

    def join(self, ranks):
        """Let the plan meet the other ranks; this is done once."""
        self.ranks, self.came = ranks, {}
        self.plan.merge, self.plan.merger = merge, <void *>self

    @property
    def gathered_arrays(self):
        """The arrays that hold the gathered gradients."""
        return self.ranks.kept.arrays

    def step(self, grads, loss=None):
        """Update the own elements by the mean gradient of all ranks, and give them to
        the others; return whether the step was taken.  All ranks call this.

        A rank that refuses a micro-batch before the last meets the others at once, who
        come with their last one; so the error is raised on all."""
        cdef list given = None
        cdef bint gathers
        error = None
        self.lock.take()
        try:
            if self.to_come:
                refusals.unfinished(self.tree, self.to_come)
            gathers = self.gathered + 1 < self.accumulate
            try:
                self.begin(None, gathers)
                if not gathers:
                    self.numbers.set_all()
                self.gradients.take(grads)
                if self.plan.zero_grads:
                    self.gradients.check_zeroable()
                given = self.flat_gradients()
                if gathers:
                    self.keep(given, loss)
                    return False
            except BaseException as raised:
                given, error = None, raised
            return self.meet(given, loss, error)
        finally:
            self.leave()

    def flush(self, loss=None):
        """Take the step by the mean of the gradients gathered so far on all ranks.  All
        ranks call this; those that have none, too."""
        error = None
        self.lock.take()
        try:
            if self.to_come:
                refusals.unfinished(self.tree, self.to_come)
            try:
                self.begin(None, False)
                self.numbers.set_all()
                self.gradients.take_none()
            except BaseException as raised:
                error = raised
            return self.meet(None, None, error)
        finally:
            self.leave()

    def step_one(self, Py_ssize_t i, g):
        """Send the gradient of leaf i on its way; the last one takes the step, of all
        leaves.  Return whether it was taken.  All ranks call this in the same order.

        Zeros travel for a gradient that is refused; the last call raises the error, on
        all ranks."""
        cdef list there = []
        cdef Py_ssize_t k
        if self.accumulate > 1:
            refusals.not_alone(f"accumulate: found {self.accumulate}, which")
        if self.ranks.needs_loss:
            refusals.not_alone("this optimizer")
        self.lock.take()
        try:
            if self.to_come and i not in self.to_come:
                refusals.stepped_twice(self.tree, self.to_come, i)
            flat = None
            try:
                flat = self.flat_given(i, g)
            except BaseException as raised:
                if self.refused is None:
                    self.refused = raised
            self.ranks.ones.begin(i, flat)
            if not self.to_come:
                self.to_come = set(range(self.gradients.n))
            self.to_come.remove(i)
            self.came[i] = flat is not None
            if flat is not None:
                self.zero_given([flat])
            if self.to_come:
                return False
            for k in range(self.gradients.n):
                there.append(flat_none if self.came[k] else None)
            try:
                return self.meet(there, None, self.refused or self.begun())
            finally:
                self.refused = None
                self.ranks.ones.clear()
        finally:
            self.leave()

    cdef object flat_given(self, Py_ssize_t i, g):
        """The gradient of leaf i in one dimension, after its checks; None if absent."""
        if g is not None:
            g = as_array(g, self.gradients.params[i], self.gradients.converts)
        self.gradients.take_one(i, g)
        if g is None:
            return None
        if self.plan.zero_grads:
            self.gradients.check_sources()
            if not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>g):
                refusals.zeroable(["grad"], [g])
        return self.flat_gradient(i)

    cdef object begun(self):
        """Begin a step; return the error for which it cannot be taken, or None."""
        try:
            self.begin(None, False)
            self.numbers.set_all()
        except BaseException as error:
            return error
        return None

    cdef list flat_gradients(self):
        """The gradients of this step, in one dimension; None of an absent one."""
        cdef Py_ssize_t i
        cdef list found = []
        for i in range(self.gradients.n):
            absent = self.gradients.leaf[i].absent
            found.append(None if absent else self.flat_gradient(i))
        return found

    cdef object flat_gradient(self, Py_ssize_t i):
        cdef cnp.npy_intp n = self.gradients.leaf[i].size
        return cnp.PyArray_SimpleNewFromData(
            1, &n, self.gradients.leaf[i].type_num, self.plan.tensor[i].g
        )

    cdef int keep(self, list given, loss) except -1:
        """Gather the gradients of a micro-batch."""
        if self.gathered:
            self.convert_gathered_to(self.more_scale)
        else:
            self.gathered_scale, self.gathered_skips = self.more_scale, False
        self.ranks.keep(given, loss)
        self.gathered_skips = self.gathered_skips or self.more_skips
        self.zero_given(given)
        self.gathered += 1
        return 0

    cdef int convert_gathered_to(self, double scale) except -1:
        """Let the gathered gradients need this factor."""
        if self.gathered_scale != scale:
            self.ranks.kept.multiply(self.gathered_scale / scale)
            self.gathered_scale = scale
        return 0

    cdef int zero_given(self, list given) except -1:
        """Zero the caller's gradients, where the options say so."""
        if not self.plan.zero_grads:
            return 0
        for g in given or ():
            if g is not None:
                memset(data(g), 0, cnp.PyArray_NBYTES(<cnp.ndarray>g))
        self.gradients.zero_sources()
        return 0

    cdef bint meet(self, list given, loss, error) except -1:
        """Take the step together with the other ranks.

        given : the gradients of the last micro-batch.  error : why this rank cannot.
        """
        cdef Py_ssize_t i
        cdef bint skips = self.skips()
        cdef bint taken
        cdef int kept = self.gathered
        cdef double more_scale = 1 if given is None else self.more_scale
        if kept and error is None:
            self.convert_gathered_to(more_scale)
        met = self.ranks.meet(given, loss, error, self.all_numbers(more_scale), skips)
        calls = sum(met.counts)
        if calls == 0:
            return False
        self.present = met.present
        self.reduced = self.ranks.reduce(met, given)
        self.numbers.loss = met.loss
        for i in range(self.gradients.n):
            self.gradients.leaf[i].absent = not met.present[i]
            if met.present[i]:
                self.plan.tensor[i].g = data(self.reduced[i])
        self.gradients.some_absent = not all(met.present)
        self.gathered = 0
        try:
            taken = self.update(calls, more_scale, met.skips)
        except BaseException:
            self.gathered = kept
            raise
        self.ranks.clear()
        self.zero_given(given)
        return taken

    cdef bytes all_numbers(self, double more_scale):
        """The numbers of this step, which have to be the same on every rank."""
        cdef double[5] own = [
            self.grad_scale, self.plan.clip_norm, self.plan.clip_eps, more_scale,
            <double>self.taken,
        ]
        cdef int[4] flags = [
            self.plan.skip_nonfinite, self.plan.keep_subnormals,
            self.plan.averages_later, self.plan.report != NULL,
        ]
        return (
            (<char *>own)[:sizeof(own)] + (<char *>flags)[:sizeof(flags)]
            + (<char *>self.plan.group)[:self.plan.n_groups * sizeof(lrc_group)]
            + repr(self.past_norms).encode()
        )

    cdef int merge_entries(self, const lrc_merged *what) except -1:
        """Let the ranks have the entries that each of them has made."""
        cdef cnp.npy_intp[2] shape
        of_units = bool(what.of_units)
        entries = self.ranks.merging.entries(of_units, self.absent.leaves or [])
        shape[0], shape[1] = entries.n, what.size
        rows = cnp.PyArray_SimpleNewFromData(2, shape, cnp.NPY_UINT8, what.entry)
        self.ranks.merging.merge(entries, rows)
        return 0

    cdef int spread(self) except -1:
        self.ranks.gather(self.present)
        return 0
