# The gradients of a step: checked, converted, and given to the tensors.

cdef class Gradients(Held):
    """The gradients of a plan's tensors."""

    cdef list states  # by leaf: its arrays by name
    cdef lrc_tensor *tensor  # the plan's tensors
    cdef bint some_absent  # whether some leaf has no gradient in this step
    cdef list converted  # by leaf: the array for its converted gradients, or None
    cdef list sources  # (leaf, gradient) that were converted in this step
    cdef list made  # gradients that were made here, held until the next ones are made
    cdef bint disjoint  # whether the gradients are known not to overlap each other
    cdef Spans owned  # of params and states

    def __cinit__(self, tree, tuple groups, list states):
        self.states = states
        self.converted, self.sources = [None] * self.n, []
        owned = [*self.params]
        for own in states:
            owned.extend(own.values())
        self.owned = Spans(owned)

    cdef int take(self, grads) except -1:
        """Point the tensors to these gradients, and hold them until release()."""
        if not (self.find_nodes(grads) and self.find_leaves(grads)):
            self.refuse(grads)
        if self.converts:
            self.convert_all()
        if not self.accept_all() and not (
            self.view_all() and self.are_all_in_place() and self.accept_all()
        ):
            self.refuse(grads)
        return 0

    cdef bint accept_all(self) except -1:
        """Point the tensors to the held gradients; False if one is unfit.  This runs no
        user code."""
        cdef Py_ssize_t i
        self.some_absent = False
        for i in range(self.n):
            if not self.accept(i, <object>self.leaf[i].grad):
                return False
        return True

    cdef bint view_all(self) except -1:
        """Hold arrays of the same memory instead of held gradients that are no arrays;
        False if all are."""
        cdef Py_ssize_t i
        cdef bint some = False
        for i in range(self.n):
            g = <object>self.leaf[i].grad
            array = as_array(g, self.params[i], self.converts)
            if array is not g:
                self.hold(i, array)
                some = True
        if some and self.converts:
            self.convert_all()
        return some

    cdef void hold(self, Py_ssize_t i, g) noexcept:
        """Hold another gradient for leaf i."""
        Py_INCREF(g)
        Py_DECREF(<object>self.leaf[i].grad)
        self.leaf[i].grad = <PyObject *>g

    cdef int refuse(self, grads) except -1:
        """Say why a step with these gradients is refused."""
        refusals.step_arguments(
            self.tree, self.groups, grads, self.states, self.converts
        )
        return 0

    cdef int convert_all(self) except -1:
        """Convert the held gradients that do not fit, and hold the results instead."""
        cdef Py_ssize_t i
        found = []
        for i in range(self.n):
            if self.to_convert(i, <object>self.leaf[i].grad):
                found.append(i)
        if not found:
            return 0
        with np.errstate(all="ignore"):  # a number out of range becomes infinite
            for i in found:
                self.hold(i, self.convert(i, <object>self.leaf[i].grad))
        return 0

    cdef bint to_convert(self, Py_ssize_t i, g) except -1:
        """Whether a gradient does not fit parameter i and can be converted."""
        p = self.params[i]
        if g is None or fits(g, p, self.leaf[i].flags):
            return False
        return convertible(g, p)

    cdef object convert(self, Py_ssize_t i, g):
        """Return a gradient with the dtype and the memory order of parameter i."""
        p, kept = self.params[i], self.converted[i]
        if kept is None or not fits(kept, p, self.leaf[i].flags):
            self.converted[i] = kept = np.empty_like(p, subok=False)
        cnp.PyArray_CopyInto(<cnp.ndarray>kept, <cnp.ndarray>g)  # casts as astype does
        self.sources.append((i, g))
        return kept

    cdef void zero_sources(self) noexcept:
        """Zero the gradients that were converted."""
        cdef cnp.ndarray a
        for _, g in self.sources:
            a = <cnp.ndarray>g
            zero(
                cnp.PyArray_BYTES(a), cnp.PyArray_DIMS(a), cnp.PyArray_STRIDES(a),
                cnp.PyArray_NDIM(a), cnp.PyArray_ITEMSIZE(a),
            )

    cdef list absent(self):
        """The leaves without a gradient in this step."""
        cdef Py_ssize_t i
        cdef list found = []
        for i in range(self.n):
            if self.leaf[i].absent:
                found.append(i)
        return found

    cdef int fill(self, leaves) except -1:
        """Give these leaves zeros for gradients."""
        cdef Py_ssize_t i
        self.made = []
        for i in leaves:
            p = self.params[i]
            zeros = np.zeros(p.size, p.dtype)
            self.tensor[i].g = data(zeros)
            self.made.append(zeros)
        return 0

    cdef int take_none(self) except -1:
        """Note that no tensor has a gradient."""
        cdef Py_ssize_t i
        for i in range(self.n):
            self.take_one(i, None)
        return 0

    cdef int take_one(self, Py_ssize_t i, g) except -1:
        """Point tensor i to this gradient, if there is one, which the caller holds."""
        fit = g
        if self.converts and self.to_convert(i, g):
            with np.errstate(all="ignore"):
                fit = self.convert(i, g)
        if not (self.is_in_place(i) and self.accept(i, fit)):
            refusals.one_gradient(self.tree, i, g, self.states, self.converts)
        return 0

    cdef bint accept(self, Py_ssize_t i, g) except -1:
        """Point tensor i to its gradient, or note that it has none; False if gradient
        or parameter is unfit.  This runs no user code."""
        cdef leaf_t *leaf = self.leaf + i
        cdef lrc_tensor *t = self.tensor + i
        cdef cnp.ndarray p = <cnp.ndarray>self.params[i]
        cdef uintptr_t start
        if not self.is_whole(i):
            return False
        leaf.absent = g is None
        if leaf.absent:
            self.some_absent = True
            return True
        if not fits(g, p, leaf.flags):
            return False
        t.g = cnp.PyArray_DATA(<cnp.ndarray>g)
        start = <uintptr_t>t.g
        if start != leaf.clear:
            if self.owned.meet(start, <size_t>cnp.PyArray_NBYTES(<cnp.ndarray>g)):
                return False
            leaf.clear = start
            self.disjoint = False
        return True

    cdef bint is_whole(self, Py_ssize_t i) noexcept:
        """Whether parameter i still has its memory and its type, and can be written."""
        cdef cnp.ndarray p = <cnp.ndarray>self.params[i]
        return (
            cnp.PyArray_DATA(p) == self.tensor[i].p
            and cnp.PyArray_SIZE(p) == self.leaf[i].size
            and cnp.PyArray_TYPE(p) == self.leaf[i].type_num
            and not cnp.PyArray_ISBYTESWAPPED(p)
            and cnp.PyArray_CHKFLAGS(p, self.leaf[i].flags | cnp.NPY_ARRAY_WRITEABLE)
        )

    cdef bint are_whole(self) noexcept:
        """Whether all params still have their memory and type, and can be written."""
        cdef Py_ssize_t i
        for i in range(self.n):
            if not self.is_whole(i):
                return False
        return True

    cdef int check_zeroable(self) except -1:
        """Check that the gradients can be zeroed: they are writable and do not overlap
        each other."""
        cdef Py_ssize_t i
        cdef bint ok = True
        cdef list present = [], names = []
        if self.sources:
            self.check_sources()
        for i in range(self.n):
            if self.leaf[i].absent:
                continue
            ok = ok and cnp.PyArray_ISWRITEABLE(<cnp.ndarray>self.leaf[i].grad)
            if not self.disjoint:
                present.append(<object>self.leaf[i].grad)
        if ok and not self.disjoint:
            self.disjoint = Spans(present).are_disjoint()
        if not (ok and self.disjoint):
            present = []
            for i in range(self.n):
                if not self.leaf[i].absent:
                    names.append("grads" + self.tree.leaves[i].path)
                    present.append(<object>self.leaf[i].grad)
            refusals.zeroable(names, present)
        return 0

    cdef int check_sources(self) except -1:
        """Check that the gradients that were converted can be zeroed."""
        cdef span_t span
        for i, g in self.sources:
            span = span_of(<cnp.ndarray>g)
            if not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>g) or self.owned.meet(
                span.start, span.end - span.start
            ):
                refusals.zeroable_source(self.tree, i, g, self.states)
        return 0

    cdef void release(self) noexcept:
        """Release the gradients of a step."""
        if self.sources:
            self.sources.clear()
        self.let_go()
