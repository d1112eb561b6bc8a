# The gradients of a step: found in containers like those of the params, held, and checked.
#
# Looking up a key may run the user's code.  So all gradients are first found and held (by a
# reference); the checks come afterwards and run no user code.

cdef extern from "Python.h":
    PyObject *PyDict_GetItemWithError(object, object) except? NULL
    PyObject *PyList_GET_ITEM(object, Py_ssize_t)
    PyObject *PyTuple_GET_ITEM(object, Py_ssize_t)
    bint PyDict_Check(object)
    bint PyList_Check(object)
    bint PyTuple_Check(object)
    Py_ssize_t PyDict_Size(object)
    Py_ssize_t PyList_GET_SIZE(object)
    Py_ssize_t PyTuple_GET_SIZE(object)

cdef struct leaf_t:
    int node  # its container; -1 if the tree is one array
    Py_ssize_t index  # its key, if the container is a sequence
    bint scalar  # whether its parameter has no axes
    Py_ssize_t size
    int type_num
    int flags  # that its gradient must have
    bint absent  # whether it has no gradient in this step
    uintptr_t clear  # address of the last gradient that was checked to overlap nothing
    PyObject *grad  # held during a step

cdef struct node_t:
    int parent
    Py_ssize_t index
    PyObject *grads  # the container at its place in the gradients, held during a step

cdef struct buffer_t:
    uintptr_t start
    uintptr_t end


cdef PyObject *child(container, key, Py_ssize_t index) except? NULL:
    """container[key] (of a sequence: [index]), borrowed; NULL if it is missing."""
    if PyList_Check(container):
        if index < PyList_GET_SIZE(container):
            return PyList_GET_ITEM(container, index)
    elif PyTuple_Check(container):
        if index < PyTuple_GET_SIZE(container):
            return PyTuple_GET_ITEM(container, index)
    else:
        return PyDict_GetItemWithError(container, key)
    return NULL


cdef Py_ssize_t index_of(container, key):
    return 0 if PyDict_Check(container) else key


cdef object as_array(g, p, bint converts):
    """A NumPy scalar of p's dtype (or of any, if gradients are converted) as an array, what
    g.mean() gives; all else as it is."""
    fit = type(g) is p.dtype.type or (converts and isinstance(g, np.generic))
    return np.array(g) if fit else g


cdef Py_ssize_t length(obj, bint as_dict):
    """Its length; -1 if it is no dict (as_dict), or neither list nor tuple."""
    if as_dict:
        return PyDict_Size(obj) if PyDict_Check(obj) else -1
    if PyList_Check(obj):
        return PyList_GET_SIZE(obj)
    return PyTuple_GET_SIZE(obj) if PyTuple_Check(obj) else -1


cdef class Gradients:
    """Where the gradients of a tree of params are, during a step."""

    cdef object tree
    cdef tuple groups
    cdef list params, states, keys, containers, node_keys, lengths, owners
    cdef lrc_tensor *tensor  # the plan's tensors
    cdef list holes  # (index of the container, key, key if that is a sequence)
    cdef Py_ssize_t n, n_nodes, n_buffers
    cdef Py_ssize_t held, held_nodes  # how many leaves and nodes are held
    cdef bint some_absent  # whether some leaf has no gradient in this step
    cdef bint converts  # whether gradients that do not fit are converted
    cdef list converted  # by leaf: the array that its gradients are converted into, or None
    cdef list sources  # (leaf, gradient) that were converted in this step
    cdef list made  # gradients that were made here, held until the next of these
    cdef bint disjoint  # whether the gradients are known not to overlap each other
    cdef leaf_t *leaf
    cdef node_t *node
    cdef buffer_t *buffer  # memory of params and states, sorted by address

    def __cinit__(self, tree, tuple groups, list states):
        self.tree, self.groups, self.states = tree, groups, states
        self.params = [leaf.array for leaf in tree.leaves]
        self.keys = [leaf.key for leaf in tree.leaves]
        self.containers = [node.container for node in tree.nodes]
        self.node_keys = [node.key for node in tree.nodes]
        self.lengths = [length(c, PyDict_Check(c)) for c in self.containers]
        self.owners = [group.owner for group in groups]
        self.n, self.n_nodes = len(self.params), len(self.containers)
        self.converted, self.sources = [None] * self.n, []
        self.node = <node_t *>allocate(self.n_nodes, sizeof(node_t))
        for i, node in enumerate(tree.nodes):
            self.node[i].parent = node.parent
            if node.parent >= 0:
                self.node[i].index = index_of(self.containers[node.parent], node.key)
        self.holes = [
            (hole.node, hole.key, index_of(self.containers[hole.node], hole.key))
            for hole in tree.holes
        ]
        self.leaf = <leaf_t *>allocate(self.n, sizeof(leaf_t))
        for i, leaf in enumerate(tree.leaves):
            self.leaf[i].node = leaf.node
            if leaf.node >= 0:
                self.leaf[i].index = index_of(self.containers[leaf.node], leaf.key)
            self.leaf[i].scalar = leaf.array.ndim == 0
            self.leaf[i].size = leaf.array.size
            self.leaf[i].flags = layout(leaf.array)
            self.leaf[i].type_num = cnp.PyArray_TYPE(<cnp.ndarray>leaf.array)
        owned = [array for arrays in states for array in arrays]
        spans = buffers([*self.params, *owned])
        self.n_buffers = len(spans)
        self.buffer = <buffer_t *>allocate(len(spans), sizeof(buffer_t))
        for i, (start, end) in enumerate(spans):
            self.buffer[i].start, self.buffer[i].end = start, end

    def __dealloc__(self):
        PyMem_Free(self.leaf)
        PyMem_Free(self.node)
        PyMem_Free(self.buffer)

    cdef int take(self, grads) except -1:
        """Point the tensors to these gradients, and hold them until release()."""
        if not (self.find_nodes(grads) and self.find_leaves(grads)):
            self.refuse(grads)
        if self.converts:
            self.convert_all()
        return self.accept_all(grads)

    cdef int accept_all(self, grads) except -1:
        """Point the tensors to the held gradients.  This runs user code only to say what is
        wrong."""
        cdef Py_ssize_t i
        self.some_absent = False
        for i in range(self.n):
            if not self.accept(i, <object>self.leaf[i].grad):
                self.refuse(grads)
        return 0

    cdef int refuse(self, grads) except -1:
        """Say why a step with these gradients is refused."""
        refusals.step_arguments(self.tree, self.groups, grads, self.states, self.converts)
        return 0

    cdef int convert_all(self) except -1:
        """Convert the held gradients that do not fit, and hold the results instead."""
        cdef Py_ssize_t i
        found = [i for i in range(self.n) if self.to_convert(i, <object>self.leaf[i].grad)]
        if not found:
            return 0
        with np.errstate(all="ignore"):  # a number out of range becomes infinite
            for i in found:
                g = self.convert(i, <object>self.leaf[i].grad)
                Py_INCREF(g)
                Py_DECREF(<object>self.leaf[i].grad)
                self.leaf[i].grad = <PyObject *>g
        return 0

    cdef bint to_convert(self, Py_ssize_t i, g) except -1:
        """Whether a gradient does not fit parameter i and can be converted."""
        p = self.params[i]
        return g is not None and not fits(g, p, self.leaf[i].flags) and convertible(g, p)

    cdef object convert(self, Py_ssize_t i, g):
        """Return a gradient with the dtype and the memory order of parameter i."""
        p, kept = self.params[i], self.converted[i]
        if kept is None or not fits(kept, p, self.leaf[i].flags):
            self.converted[i] = kept = np.empty_like(p, subok=False)
        np.copyto(kept, np.asarray(g), casting="unsafe")
        self.sources.append((i, g))
        return kept

    cdef int zero_sources(self) except -1:
        """Zero the gradients that were converted."""
        for _, g in self.sources:
            np.asarray(g)[...] = 0
        return 0

    cdef list absent(self):
        """The leaves without a gradient in this step."""
        return [i for i in range(self.n) if self.leaf[i].absent]

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

    cdef bint find_nodes(self, grads) except -1:
        """Find and hold the containers of the gradients; False if their structure is not
        that of the params, or the structure of the params has changed."""
        cdef Py_ssize_t i, size, index
        cdef int up
        cdef bint is_dict
        cdef PyObject *here = <PyObject *>grads
        for i in range(len(self.owners)):
            owner = self.owners[i]
            if owner is not None and owner.get("params") is not self.groups[i].params:
                return False
        for i in range(self.n_nodes):
            container, size = self.containers[i], self.lengths[i]
            if i > 0:
                up, index = self.node[i].parent, self.node[i].index
                here = child(<object>self.node[up].grads, self.node_keys[i], index)
                if here == NULL:
                    return False
            Py_INCREF(<object>here)
            self.node[i].grads = here
            self.held_nodes = i + 1
            if i > 0 and child(self.containers[up], self.node_keys[i], index) != (
                <PyObject *>container
            ):
                return False
            is_dict = PyDict_Check(container)
            if not size == length(container, is_dict) == length(<object>here, is_dict):
                return False
        return True

    cdef bint find_leaves(self, grads) except -1:
        """Find and hold the gradients; False if one is missing, or if a parameter is no
        longer in its place."""
        cdef Py_ssize_t i
        cdef leaf_t *leaf
        cdef PyObject *g = <PyObject *>grads
        for i in range(self.n):
            leaf = self.leaf + i
            if leaf.node >= 0:
                g = child(<object>self.node[leaf.node].grads, self.keys[i], leaf.index)
                if g == NULL:
                    return False
            if leaf.scalar and not cnp.PyArray_CheckExact(<object>g):
                array = as_array(<object>g, self.params[i], self.converts)
                g = <PyObject *>array
            Py_INCREF(<object>g)
            leaf.grad = g
            self.held = i + 1
            if not self.is_in_place(i):
                return False
        for node, key, index in self.holes:
            if (
                child(self.containers[node], key, index) != <PyObject *>None
                or child(<object>self.node[<int>node].grads, key, index) != <PyObject *>None
            ):
                return False
        return True

    cdef bint is_in_place(self, Py_ssize_t i) except -1:
        """Whether parameter i is still in its container."""
        cdef leaf_t *leaf = self.leaf + i
        return leaf.node < 0 or child(
            self.containers[leaf.node], self.keys[i], leaf.index
        ) == <PyObject *>self.params[i]

    cdef bint are_in_place(self) except -1:
        """Whether all params are still in their containers."""
        cdef Py_ssize_t i
        for i in range(self.n):
            if not self.is_in_place(i):
                return False
        return True

    cdef bint accept(self, Py_ssize_t i, g) except -1:
        """Point tensor i to its gradient, or note that it has none; False if gradient or
        parameter is unfit.  This runs no user code."""
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
            if self.overlaps(start, <size_t>cnp.PyArray_NBYTES(<cnp.ndarray>g)):
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
        """The same for all params."""
        cdef Py_ssize_t i
        for i in range(self.n):
            if not self.is_whole(i):
                return False
        return True

    cdef bint overlaps(self, uintptr_t start, size_t size) noexcept:
        """Whether these bytes overlap the memory of a parameter or state."""
        if size == 0:
            return False
        cdef Py_ssize_t lo = 0, hi = self.n_buffers, mid
        while lo < hi:  # the first buffer that ends after `start`
            mid = (lo + hi) // 2
            if self.buffer[mid].end <= start:
                lo = mid + 1
            else:
                hi = mid
        return lo < self.n_buffers and self.buffer[lo].start < start + size

    cdef int check_zeroable(self, grads) except -1:
        """Check that the gradients can be zeroed: they are writable and do not overlap each
        other.  A check that fails may run code of a subclass of ndarray."""
        cdef Py_ssize_t i
        cdef bint ok = self.disjoint
        if self.sources:
            self.check_sources()
        for i in range(self.n):
            ok = ok and (
                self.leaf[i].absent
                or cnp.PyArray_ISWRITEABLE(<cnp.ndarray>self.leaf[i].grad)
            )
        if not ok:
            present = [i for i in range(self.n) if not self.leaf[i].absent]
            names = ["grads" + self.tree.leaves[i].path for i in present]
            refusals.zeroable(names, [<object>self.leaf[i].grad for i in present])
            self.disjoint = True
            self.accept_all(grads)
        return 0

    cdef int check_sources(self) except -1:
        """Check that the gradients that were converted can be zeroed."""
        for i, g in self.sources:
            start, end = extent(g)
            if not g.flags.writeable or self.overlaps(start, end - start):
                refusals.zeroable_source(self.tree, i, g, self.states)
        return 0

    cdef void release(self) noexcept:
        """Release the references that a step holds."""
        if self.sources:
            self.sources.clear()
        while self.held > 0:
            self.held -= 1
            Py_DECREF(<object>self.leaf[self.held].grad)
        while self.held_nodes > 0:
            self.held_nodes -= 1
            Py_DECREF(<object>self.node[self.held_nodes].grads)
