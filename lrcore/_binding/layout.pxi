# Which leaves share numbers: the C groups of a plan, and the steps that leaves took.

cdef class Layout:
    """The groups of a plan, part by part; Resolved describes the arguments."""

    cdef lrc_plan *plan  # the plan whose groups are set
    cdef list parts, group_of, leaves_of, part_of, groups, params, states
    cdef list pools  # by part: see pools_of(); None if it carries and gauges nothing
    cdef dict first_part  # by group: its first part
    cdef list n_sums  # by part: how many sums its gauge has
    cdef list sums_all  # by part: whether its gauge's sums are over all parts
    cdef bint sums  # whether some part has a gauge
    cdef list lags  # by leaf: how many steps left it out; None if none did
    cdef list first_lags  # a list of zeros for the first step that leaves out a leaf
    cdef list group_lag  # the same by group in plan.group
    cdef list group_size  # by group: how many leaves it has
    cdef bint some_new  # whether some leaf may have taken no step, while others have
    cdef bint stale  # whether the groups are to be laid out before the next step
    cdef Py_ssize_t *first_group  # by part: the index of its first group in plan.group
    cdef object t  # the step under way, counted from 1

    def __cinit__(self, tree, tuple groups, tuple parts, list part_of, list states):
        cdef Py_ssize_t i, k
        self.groups, self.states, self.part_of = list(groups), states, part_of
        self.parts, self.group_of, self.leaves_of = [], [], []
        for index, part in parts:
            self.group_of.append(index)
            self.parts.append(part)
            self.leaves_of.append([])
        self.params = each(tree.leaves, "array")
        for i, k in enumerate(part_of):
            self.leaves_of[k].append(i)
        self.pools, self.first_part = [None] * len(parts), {}
        for i, index in enumerate(self.group_of):
            self.first_part.setdefault(index, i)

    def __dealloc__(self):
        PyMem_Free(self.first_group)

    cdef int attach(self, lrc_plan *plan) except -1:
        """Make room for the plan's groups: for the largest possible number."""
        self.plan = plan
        self.first_group = <Py_ssize_t *>allocate(
            len(self.parts) + 1, sizeof(Py_ssize_t)
        )
        plan.n_groups = len(self.parts) + plan.n_tensors
        plan.group = <lrc_group *>allocate(plan.n_groups, sizeof(lrc_group))
        self.sums = any(part.gauge for part in self.parts)
        self.n_sums, self.sums_all = [], each(self.parts, "sums_all")
        for part in self.parts:
            self.n_sums.append(GAUGES[part.gauge].n_sum)
        if self.sums:
            plan.gauge_sums = <double *>allocate(
                LRC_MAX_SUMS * plan.n_tensors, sizeof(double)
            )
        return 0

    cdef int lay_out(self) except -1:
        """Make the plan's groups: see sets_of()."""
        cdef Py_ssize_t i, k, n = 0
        self.group_lag, self.group_size = [], []
        self.stale = True
        for i, part in enumerate(self.parts):
            self.first_group[i] = n
            for leaves in self.sets_of(i):
                memset(self.plan.group + n, 0, sizeof(lrc_group))
                set_group(self.plan.group + n, part)
                for k in leaves:
                    self.plan.tensor[k].group = n
                lag = self.lags[leaves[0]] if self.lags is not None and leaves else 0
                self.group_lag.append(lag)
                self.group_size.append(len(leaves))
                n += 1
        self.first_group[len(self.parts)] = self.plan.n_groups = n
        for i, part in enumerate(self.parts):
            if part.carries or part.gauge:
                self.pools[i] = self.pools_of(i)
        self.stale = False
        return 0

    cdef list sets_of(self, Py_ssize_t i):
        """The leaves of each C group of a part.

        Leaves that have taken the same number of steps are one group; if leaves have
        numbers of their own (per_array), each is a group.
        """
        leaves = self.leaves_of[i]
        cdef bint alone = self.parts[i].per_array
        if not alone and (self.lags is None or not leaves):
            return [leaves]
        sets = {}
        for leaf in leaves:
            sets.setdefault(leaf if alone else self.lags[leaf], []).append(leaf)
        return list(sets.values())

    cdef object step_of_group(self, Py_ssize_t k):
        """The number of this step for the leaves of group k, counted from 1."""
        return self.t if self.lags is None else self.t - self.group_lag[k]

    cdef object step_of_leaf(self, Py_ssize_t leaf):
        return self.t if self.lags is None else self.t - self.lags[leaf]

    cdef void set_lags(self, list lags) noexcept:
        """Set by how many steps each leaf is behind; None: no leaf is behind."""
        if lags is None and self.lags is None:
            return
        self.lags = lags
        self.some_new = lags is not None
        self.stale = True

    cdef list lags_after(self, list leaves):
        """The lags of leaves after a step that leaves them out, for leave_out()."""
        cdef list after = []
        if leaves and self.lags is None and self.first_lags is None:
            self.first_lags = [0] * len(self.params)
        for leaf in leaves:
            after.append(1 if self.lags is None else self.lags[leaf] + 1)
        return after

    cdef void leave_out(self, list leaves, list after) noexcept:
        """Note that a step, which is counted by now, has left these leaves out.

        after: what lags_after() made of them before the step wrote anything.
        """
        cdef Py_ssize_t k
        cdef bint some_new = False
        if not leaves:
            return
        if self.lags is None:
            self.lags, self.first_lags = self.first_lags, None
        self.stale = True
        for k in range(len(leaves)):
            self.lags[leaves[k]] = after[k]
            some_new = some_new or after[k] == self.t
        self.some_new = some_new
        try:
            self.stale = not self.leave_groups_out(leaves)
        except MemoryError:
            pass  # the groups are laid out before the next step

    cdef bint leave_groups_out(self, leaves) except -1:
        """Fast path: if these leaves are whole groups, as in each step of a frozen
        layer, the groups stay as they are.  False: they are not."""
        cdef Py_ssize_t k, leaf
        left_out = {}
        for leaf in leaves:
            k = self.plan.tensor[leaf].group
            left_out[k] = left_out.get(k, 0) + 1
        for k, count in left_out.items():
            if count != self.group_size[k]:
                return False
        for k in left_out:
            self.group_lag[k] += 1
        return True

    cdef list pools_of(self, Py_ssize_t i):
        """The pools of a part, whose leaves share carried numbers, as tuples: leaves,
        arrays of these numbers, first and end of its groups in plan.group."""
        cdef Py_ssize_t first = self.first_group[i], end = self.first_group[i + 1]
        cdef list own, arrays, pools = [], found = []
        part, leaves = self.parts[i], self.leaves_of[i]
        if part.carries_per_array:
            for k, leaf in enumerate(leaves, first):
                pools.append(([leaf], k, k + 1))
        elif leaves:
            pools.append((leaves, first, end))
        for own, lo, hi in pools:
            arrays = []
            for name in part.carries:
                arrays.append(self.states[own[0]][name])
            found.append((own, arrays, lo, hi))
        return found
