# The numbers of a step: folded from hyper-parameters and written into the C groups.

cdef extern from "fenv.h":
    int FE_TONEAREST
    int fegetround()
    int fesetround(int)


cdef class Numbers(Layout):
    """The numbers of a plan's groups, part by part."""

    cdef list copies  # by leaf: arrays that begin as copies of the parameter
    cdef list folded  # by part: the Folded of this step
    cdef list leads  # by part: whether its learning rate is reported for the group
    cdef list rates  # by group: the learning rate to report
    cdef dict pooled  # by part: (leaves of a pool, pairs to write when all are stepped)
    cdef set absent  # the leaves that this step leaves out
    cdef list sums_of_all  # the sums over all parts, once they are made in this step
    cdef object loss
    cdef int gathered
    cdef bint adapts  # whether some part has AdaGC in this step

    def __cinit__(self, tree, tuple groups, tuple parts, *_):
        cdef Py_ssize_t i
        self.rates, self.folded = [None] * len(groups), [None] * len(parts)
        self.pooled, self.absent = {}, set()
        leading = {}  # by group: the first part that has leaves, otherwise the first
        for i, index in enumerate(self.group_of):
            first = leading.setdefault(index, i)
            if self.leaves_of[i] and not self.leaves_of[first]:
                leading[index] = i
        self.leads = []
        for i, index in enumerate(self.group_of):
            self.leads.append(leading[index] == i)

    # --- before the step --------------------------------------------------------------

    cdef int begin(self, t, loss) except -1:
        """Begin step t, counted from 1.  After this, schedules (user code) run."""
        self.t, self.loss, self.sums_of_all = t, loss, None
        return 0

    cdef int set_all(self) except -1:
        """Set the numbers of all parts."""
        cdef Py_ssize_t i
        cdef Py_ssize_t asked = -1  # the last group that had schedules, and its numbers
        now = None
        self.adapts = False
        if self.pooled:
            self.pooled = {}
        for i in range(len(self.parts)):
            folded = self.parts[i].folded
            if folded is None:
                if asked != self.group_of[i]:
                    asked = self.group_of[i]
                    now = self.groups[asked].now(self.t - 1)
                folded = now[i - self.first_part[asked]]
            self.set_part(i, self.first_group[i], self.first_group[i + 1], folded)
        return 0

    cdef int set_one(self, Py_ssize_t leaf) except -1:
        """Set the numbers of one leaf's C group, in a round that set_all() began."""
        cdef Py_ssize_t i = self.part_of[leaf], k = self.plan.tensor[leaf].group
        cdef Py_ssize_t group = self.group_of[i]
        cdef bint shared = self.first_group[i + 1] - self.first_group[i] == 1
        folded = self.parts[i].folded
        if folded is None:
            folded = self.groups[group].now(self.t - 1)[i - self.first_part[group]]
        elif folded is self.folded[i] and shared and self.pools[i] is None:
            return 0  # set in this round, with these hyper-parameters
        return self.set_part(i, k, k + 1, folded)

    cdef int set_part(
        self, Py_ssize_t i, Py_ssize_t lo, Py_ssize_t hi, Folded folded
    ) except -1:
        """Set the numbers of a part's groups [lo, hi)."""
        cdef Py_ssize_t k
        cdef lrc_group *group = self.plan.group
        self.folded[i] = folded
        if folded.adagc is not None:
            self.adapts = True
        # If the step finds the rate, the last step's is reported until then.
        if self.rates[self.group_of[i]] is None or (
            self.leads[i] and not (self.pools[i] and self.leaves_of[i])
        ):
            self.rates[self.group_of[i]] = folded.lr
        if lo == hi:
            return 0
        self.set_group(i, lo)
        for k in range(lo + 1, hi):
            if self.lags is None or self.group_lag[k] == self.group_lag[k - 1]:
                group[k] = group[k - 1]
            else:
                self.set_group(i, k)
        if self.pools[i] is not None and self.n_sums[i]:
            self.set_gauges(i)
        elif self.pools[i] is not None:
            self.set_pools(i, lo, hi)
        return 0

    cdef int set_group(self, Py_ssize_t i, Py_ssize_t k) except -1:
        """Set the numbers of group k of part i, except those that a pool gives."""
        cdef Folded folded = self.folded[i]
        step = self.step_of_group(k)
        set_numbers(self.plan.group + k, folded, step)
        if self.pools[i] is None:
            set_coefs(self.plan.group + k, folded.coefs(step, folded.lr, folded.decay))
        return 0

    cdef int set_gauges(self, Py_ssize_t i) except -1:
        """Set the coefficients of a part's gauge."""
        cdef Folded folded = self.folded[i]
        cdef Py_ssize_t k, j
        if folded.gauge is None:
            return 0
        for _, arrays, lo, hi in self.pools[i]:
            numbers = None
            for k in range(lo, hi):
                if numbers is None or self.lags is not None:
                    numbers = folded.gauge(
                        self.step_of_group(k), folded.lr, carried(folded, arrays)
                    )
                for j in range(min(<Py_ssize_t>LRC_MAX_GAUGE_COEFS, len(numbers))):
                    self.plan.group[k].gauge_coef[j] = numbers[j]
        return 0

    cdef int set_pools(self, Py_ssize_t i, Py_ssize_t first, Py_ssize_t end) except -1:
        """Set the numbers of a part's groups [first, end) from its carried numbers and
        its gauge's sums, and keep the new carried numbers for the end of the step."""
        cdef Folded folded = self.folded[i]
        cdef Py_ssize_t k, n
        cdef list arrays, pooled = [], written
        cdef tuple new
        self.pooled[i] = pooled
        for leaves, arrays, lo, hi in self.pools[i]:
            if self.leaves_out(leaves):
                continue
            written = []
            pooled.append((leaves, written))
            sums = self.sums_of(i, leaves)
            # A pool has taken as many steps as the leaf that has taken the most.
            lag = 0 if self.lags is None else min(self.group_lag[lo:hi])
            step = self.t - lag
            before = carried(folded, arrays)
            if folded.tune is None:
                new, numbers, rate = folded.coefs(
                    step, folded.lr, folded.decay, before, sums
                )
                n = len(arrays)
                if len(new) != n:
                    raise ValueError(f"numbers: expected {n}, found {len(new)}")
                for k in range(n):
                    written.append((arrays[k], <double>new[k]))
            else:
                numbers = folded.coefs(step, folded.lr, folded.decay)
                advanced, (keep, past, s) = folded.tune(arrays[0], sums)
                written.append((arrays[0], advanced))
                rate = folded.lr * s
            if self.leads[i] and lo == self.first_group[i]:
                self.rates[self.group_of[i]] = rate
            for k in range(max(lo, first), min(hi, end)):
                own = numbers
                if self.lags is not None and self.group_lag[k] != lag:
                    own = self.coefs_of(folded, k, before, sums)
                set_coefs(self.plan.group + k, own)
                if folded.tune is not None:
                    self.plan.group[k].mechanic = lrc_mechanic(keep, past, s)
        return 0

    cdef tuple coefs_of(self, Folded folded, Py_ssize_t k, tuple before, tuple sums):
        """The coefficients of a pool's group k that took fewer steps than the pool."""
        step = self.step_of_group(k)
        if folded.tune is not None:
            return folded.coefs(step, folded.lr, folded.decay)
        return folded.coefs(step, folded.lr, folded.decay, before, sums)[1]

    cdef bint leaves_out(self, leaves) except -1:
        """Whether this step leaves out all of these leaves."""
        if not self.absent:
            return False
        for leaf in leaves:
            if leaf not in self.absent:
                return False
        return True

    cdef tuple sums_of(self, Py_ssize_t i, leaves):
        """The sums of a gauge over leaves, then the loss if it was given."""
        cdef Py_ssize_t j, k
        cdef double total
        cdef list sums = []
        cdef int mode = fegetround()
        if self.sums_all[i]:
            if self.sums_of_all is not None:
                return tuple(self.sums_of_all)
            leaves = range(<Py_ssize_t>self.plan.n_tensors)
        fesetround(FE_TONEAREST)  # the caller's mode may be another
        for j in range(<Py_ssize_t>self.n_sums[i]):
            total = 0
            for k in leaves:
                total += self.plan.gauge_sums[LRC_MAX_SUMS * k + j]
            sums.append(total)
        fesetround(mode)
        if self.loss is not None:
            sums.append(self.loss)
        if self.sums_all[i]:
            self.sums_of_all = sums
        return tuple(sums)

    cdef int copy_all(self) except -1:
        cdef Py_ssize_t i
        if self.t == 1 or self.some_new:
            for i in range(len(self.copies)):
                if i not in self.absent:
                    self.copy(i)
        return 0

    cdef int copy(self, Py_ssize_t i) except -1:
        """In the first step of parameter i, copy it to the arrays that begin as its
        copies: it may have been loaded after construction."""
        cdef lrc_tensor *t = self.plan.tensor + i
        cdef size_t before
        if self.step_of_leaf(i) != 1:
            return 0
        for array in self.copies[i] if self.copies else ():
            before = t.before * <size_t>cnp.PyArray_ITEMSIZE(<cnp.ndarray>array)
            memcpy(
                data(array), <char *>t.p + before,
                cnp.PyArray_NBYTES(<cnp.ndarray>array),
            )
        return 0

    # --- after the step ---------------------------------------------------------------

    cdef int carry(self, bint all) except -1:
        """Write the new values of carried numbers; of pools, only if all leaves were
        stepped.  This runs no user code."""
        if all:
            self.some_new = False
        if all and self.pooled:
            for pooled in self.pooled.values():
                for leaves, written in pooled:
                    if not self.leaves_out(leaves):
                        write(written)
        return 0

    cdef int gather_loss(self) except -1:
        cdef double *total
        if self.loss is not None:
            for pool in self.pools:
                for _, arrays, _, _ in pool or ():
                    total = <double *>data(arrays[0])
                    total[0] = self.loss + (total[0] if self.gathered > 0 else 0)
        return 0


cdef int write(list written) except -1:
    for array, value in written:
        if type(value) is float:
            (<double *>data(array))[0] = value
        elif type(value) is bytes:  # the numbers that Mechanic carries
            memcpy(data(array), <const char *>value, len(value))
        else:
            memcpy(data(array), data(value), cnp.PyArray_NBYTES(<cnp.ndarray>array))
    return 0


cdef tuple carried(Folded folded, list arrays):
    """The numbers that a pool carries; none for Mechanic, which reads its array."""
    if folded.tune is not None:
        return ()
    cdef list numbers = []
    for array in arrays:
        numbers.append((<double *>data(array))[0])
    return tuple(numbers)
