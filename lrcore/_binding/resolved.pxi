# The tensors of an optimizer, resolved once: their arrays, options and counts.


cdef class Resolved:
    """The tensors of an optimizer, which Plan steps.

    tree : the flattened params (_shared.trees.Tree); containers.params() checked them.
    groups : the user's groups.  If one has schedules, its `now(t)` returns the Folded
        of each of its parts; t counts the steps taken.
    parts : (index of the group, part).  A part has `folded`, its numbers (None with
        schedules); the names `rule`, `scale`, `gauge`, `averages`, `pulls` (averages
        that pull), `carries` (carried numbers) and `factoring`, a key of FACTORINGS;
        `sides(p, state)`, if it is factored: see Kind._sides; and flags.
        `directed`: it makes directions.  `per_array`: each leaf has numbers of its own.
        `carries_per_array`: each leaf carries numbers of its own.  `sums_all`: its
        gauge sums over all parts.
    part_of : the index of each leaf's part.
    states : the arrays of each leaf, by name: those that its part's rule, scale and
        averages name, and GATHERED if gradients are gathered.  They do not own their
        memory, so that it cannot be resized.
    units : (outer, reduced, inner) of each leaf, for adaptive clipping; or None.
    copies : for each leaf, the arrays that its first step sets to copies of it.
    fresh : see Placed; place() writes them.
    owned : for each leaf, the first and the end of the elements that are stepped here,
        which the arrays in `states` are for; None: all.
    t : steps taken.
    gathered : gradients gathered since the last step.
    to_come : leaves that step_one() still has to step in the current step.
    more_scale : a factor of gradients in addition to the options.
    more_skips : whether a gradient that is not finite skips the step even if the option
        does not ask for it.
    gathered_scale : the factor that the gathered gradients still need, as more_scale.
    gathered_skips : whether more_skips was set in one of the gathered calls.
    lock : that of the optimizer, which outlives the plan (`add_group` makes another).
    """

    cdef readonly object tree
    cdef Absent absent
    cdef set never  # leaves that no gathered call since the last step had a gradient of
    cdef bint *left_out  # by leaf: whether step_one() has left it out in this step
    cdef readonly tuple groups
    cdef object taken  # steps taken
    cdef readonly int gathered
    cdef public double more_scale
    cdef public bint more_skips
    cdef readonly double gathered_scale
    cdef readonly bint gathered_skips
    cdef list gathered_in  # the arrays that hold the gathered gradients
    cdef readonly set to_come
    cdef readonly bint applied  # whether the last step was taken
    cdef Reports reports
    cdef Gradients gradients
    cdef Answers numbers
    cdef Limits limits
    cdef Curvature curvature
    cdef Placed placed
    cdef readonly Lock lock
    cdef readonly object ranks  # the other ranks, of a ShardedPlan; or None
    cdef object params  # as the user has them; with groups: a list with those of each
    cdef object project  # the function that changes the params after a step, or None
    cdef bint averages  # whether some part keeps averages
    cdef object scheduled  # t -> (grad_scale, clip_norm, clip_eps), or None if constant
    cdef double grad_scale
    cdef int accumulate
    cdef lrc_plan plan

    def __cinit__(
        self, tree, tuple groups, tuple parts, part_of, states, units, list copies=[],
        list fresh=[], Lock lock=None, owned=None,
    ):
        cdef Py_ssize_t i
        self.lock = Lock() if lock is None else lock
        self.tree, self.groups, self.params = tree, groups, root(tree)
        self.taken, self.more_scale, self.gathered_scale = 0, 1, 1
        self.gathered_in = []
        cdef list names = [], sides = [], states_of = list(states)
        self.never, self.to_come = set(), set()
        self.plan.n_tensors = len(tree.leaves)
        self.left_out = <bint *>allocate(len(tree.leaves), sizeof(bint))
        self.plan.tensor = <lrc_tensor *>allocate(len(tree.leaves), sizeof(lrc_tensor))
        for _, part in parts:
            names.append(names_of(part))
            sides.append(part.sides if part.factoring else None)
        for i, leaf in enumerate(tree.leaves):
            k, own = part_of[i], states_of[i]
            set_tensor(self.plan.tensor + i, leaf.array, names[k], own)
            if sides[k] is not None:
                set_sides(self.plan.tensor + i, sides[k](bare(leaf.array), own))
            if owned is not None:
                set_owned(self.plan.tensor + i, owned[i])
            if units[i] is not None:
                set_units(self.plan.tensor + i, units[i])
            if GATHERED in own:
                self.gathered_in.append(own[GATHERED])
        self.numbers = Answers(tree, groups, parts, list(part_of), states_of)
        self.numbers.copies = copies
        self.numbers.attach(&self.plan)
        self.averages = any(part.averages for _, part in parts)
        self.plan.work = allocate(lrc_plan_tensors(&self.plan), 1)
        self.numbers.lay_out()
        self.absent = Absent()
        self.absent.plan = &self.plan
        self.gradients = Gradients(tree, groups, states_of)
        self.gradients.tensor = self.plan.tensor
        self.reports = Reports()
        self.reports.plan = &self.plan
        self.limits = Limits()
        self.limits.plan, self.limits.numbers = &self.plan, self.numbers
        self.curvature = Curvature()
        self.curvature.plan, self.curvature.numbers = &self.plan, self.numbers
        self.curvature.attach()
        self.placed = Placed()
        self.placed.plan, self.placed.fresh = &self.plan, list(fresh)

    def __dealloc__(self):
        cdef size_t i
        for i in range(self.plan.n_tensors if self.plan.tensor != NULL else 0):
            PyMem_Free(<void *>self.plan.tensor[i].factors.side)
        PyMem_Free(self.left_out)
        PyMem_Free(self.plan.group)
        PyMem_Free(self.plan.tensor)
        PyMem_Free(self.plan.work)
        PyMem_Free(self.plan.report)
        PyMem_Free(self.plan.gauge_sums)

    @property
    def t(self):
        return self.taken

    @t.setter
    def t(self, t):
        self.lock.check()
        if self.to_come:
            refusals.unfinished(self.tree, self.to_come)
        self.taken = t
        self.numbers.set_lags(None)
        self.lock.changes += 1

    @property
    def steps(self):
        """How many steps each leaf has taken."""
        cdef list steps = []
        for lag in self.numbers.lags or [0] * len(self.gradients.params):
            steps.append(self.taken - lag)
        return steps

    @property
    def without_gradient(self):
        """Leaves of which no gradient has been gathered since the last step."""
        return sorted(self.never)

    @property
    def rates(self):
        """The learning rate of each group in the last step; None before the first."""
        return list(self.numbers.rates)

    @property
    def spike(self):
        """Whether the last step was left out as a spike."""
        return self.limits.spike

    @property
    def past_norms(self):
        """What ZClip has counted, count and moments; None without it."""
        zclip = self.limits.zclip
        return None if zclip is None else zclip._counted

    @property
    def total(self):
        """Elements in all tensors."""
        cdef size_t i, n = 0
        for i in range(self.plan.n_tensors):
            n += self.plan.tensor[i].n
        return n

    @property
    def gathered_arrays(self):
        """The arrays that hold the gathered gradients."""
        return self.gathered_in

    @property
    def parallel_from(self):
        """The least number of elements for which a step uses more than one thread."""
        return self.plan.parallel_from or LRC_PARALLEL_FROM

    @parallel_from.setter
    def parallel_from(self, size_t n):
        self.plan.parallel_from = n

    def place(self, num_threads=None):
        """Write the initial values of new arrays, by the threads of a step.

        num_threads : the most that may write; None: as the options of the plan say.
        """
        self.placed.write(self.plan.num_threads if num_threads is None else num_threads)

    def report_of(self, Py_ssize_t group, leaves):
        """The report of some leaves together (None: of all), see Reports.of, after t,
        the rate of a group and whether the step was taken; None: there is no report."""
        self.lock.check()
        if not self.reports.exists:
            return None
        measured = self.reports.of(leaves)
        return self.taken, self.reports.rates[group], self.applied, measured

    def curvature_of(self, leaves):
        """The sums of Curvature over some leaves (None: all); None: nothing is kept."""
        self.lock.check()
        return None if self.curvature.sums == NULL else self.curvature.of(leaves)

    def reports_of(self, list each):
        """The report_of() each (group, leaves), all of the same step."""
        cdef list reports = []
        cdef bint was_on = PyGC_Disable()
        try:
            for group, leaves in each:
                reports.append(self.report_of(group, leaves))
            return reports
        finally:
            if was_on:
                PyGC_Enable()

    def snapshot(self, list arrays, list attributes):
        """What an optimizer has at one moment: copies of these arrays; its counts (the
        arguments of Counts); and the values of attributes, given as (object, name)."""
        cdef list copies = [], values = []
        cdef bint was_on = PyGC_Disable()
        try:
            self.lock.check()
            if self.to_come:
                refusals.unfinished(self.tree, self.to_come)
            for array in arrays:
                copies.append(copy_of(array))
            for obj, name in attributes:
                values.append(getattr(obj, name))
            counts = (
                self.taken, self.steps, self.gathered, self.gathered_scale,
                self.gathered_skips, self.without_gradient,
            )
            return copies, counts, values
        finally:
            if was_on:
                PyGC_Enable()

    def copy_out(self, list of, list to, unsigned long long changes):
        """Copy contiguous arrays to others of their size, all at one moment.

        It keeps the GIL, so that no thread steps the optimizer meanwhile.  It does not
        take the lock, which would refuse steps of other threads.

        to : aligned to 64 bytes.
        changes : the lock's, when the rest of what is saved was read.  If there are
            more now, RuntimeError is raised.
        """
        cdef Py_ssize_t i, n = 0
        cdef cnp.ndarray one, other
        cdef lrc_block *blocks = <lrc_block *>allocate(len(of), sizeof(lrc_block))
        try:
            for i in range(len(of)):
                one, other = of[i], to[i]
                if cnp.PyArray_NBYTES(one) != cnp.PyArray_NBYTES(other):
                    raise ValueError("copy_out: an array has changed its size")
                if cnp.PyArray_NBYTES(one) > 0:
                    blocks[n].of = cnp.PyArray_BYTES(one)
                    blocks[n].to = cnp.PyArray_BYTES(other)
                    blocks[n].n = <size_t>cnp.PyArray_NBYTES(one)
                    n += 1
            self.lock.check()
            if self.lock.changes != changes:
                raise RuntimeError(
                    "another thread has stepped or changed this optimizer while its "
                    "copy was begun, so that nothing is saved: save it when no other "
                    "thread uses it"
                )
            lrc_copy(blocks, n, self.plan.num_threads)
        finally:
            PyMem_Free(blocks)

    cdef int set_clipping(self, tuple numbers) except -1:
        self.grad_scale, self.plan.clip_norm, self.plan.clip_eps = numbers
        return 0
