# The gradients of a step, found in containers like those of the params, and held.
#
# Looking up a key may run the user's code.  So all gradients are first found and held
# (by a reference); `Gradients` checks them afterwards, which runs no user code.

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


cdef object as_array(g, cnp.ndarray p, bint converts):
    """An array for a gradient that is no array.

    A NumPy scalar, such as g.mean(), is copied if it has p's dtype or if gradients are
    converted.  An object that shows its memory as an array gives that.  Any other
    object is returned as it is.  This may run the user's code.
    """
    if g is None or cnp.PyArray_Check(g):
        return g
    cdef object own = p.descr  # the subclass of an array may have another `dtype`
    fit = type(g) is own.type or (converts and issubclass(type(g), np.generic))
    return np.array(g) if fit else viewed(g)


cdef Py_ssize_t length(obj, bint as_dict):
    """Its length; -1 if it is no dict (as_dict), or neither list nor tuple."""
    if as_dict:
        return PyDict_Size(obj) if PyDict_Check(obj) else -1
    if PyList_Check(obj):
        return PyList_GET_SIZE(obj)
    return PyTuple_GET_SIZE(obj) if PyTuple_Check(obj) else -1


cdef class Held:
    """The gradients of a tree of params, found and held during a step."""

    cdef object tree
    cdef tuple groups
    cdef list params, keys, containers, node_keys, lengths, owners
    cdef list holes  # (index of the container, key, key if that is a sequence)
    cdef Py_ssize_t n, n_nodes
    cdef Py_ssize_t held, held_nodes  # how many leaves and nodes are held
    cdef bint converts  # whether gradients that do not fit are converted
    cdef leaf_t *leaf
    cdef node_t *node

    def __cinit__(self, tree, tuple groups, *_):
        cdef cnp.ndarray p
        self.tree, self.groups = tree, groups
        self.params, self.keys = each(tree.leaves, "array"), each(tree.leaves, "key")
        self.containers = each(tree.nodes, "container")
        self.node_keys = each(tree.nodes, "key")
        self.lengths, self.holes = [], []
        for container in self.containers:
            self.lengths.append(length(container, PyDict_Check(container)))
        self.owners = each(groups, "owner")
        self.n, self.n_nodes = len(self.params), len(self.containers)
        self.node = <node_t *>allocate(self.n_nodes, sizeof(node_t))
        for i, node in enumerate(tree.nodes):
            self.node[i].parent = node.parent
            if node.parent >= 0:
                self.node[i].index = index_of(self.containers[node.parent], node.key)
        for hole in tree.holes:
            index = index_of(self.containers[hole.node], hole.key)
            self.holes.append((hole.node, hole.key, index))
        self.leaf = <leaf_t *>allocate(self.n, sizeof(leaf_t))
        for i, leaf in enumerate(tree.leaves):
            self.leaf[i].node = leaf.node
            if leaf.node >= 0:
                self.leaf[i].index = index_of(self.containers[leaf.node], leaf.key)
            p = <cnp.ndarray>self.params[i]
            self.leaf[i].scalar = cnp.PyArray_NDIM(p) == 0
            self.leaf[i].size = cnp.PyArray_SIZE(p)
            self.leaf[i].flags = layout(p)
            self.leaf[i].type_num = cnp.PyArray_TYPE(p)

    def __dealloc__(self):
        PyMem_Free(self.leaf)
        PyMem_Free(self.node)

    cdef bint find_nodes(self, grads) except -1:
        """Find and hold the containers of the gradients; False if their structure is
        not that of the params, or the structure of the params has changed."""
        cdef Py_ssize_t i, size, index
        cdef int up
        cdef bint is_dict
        cdef PyObject *here = <PyObject *>grads
        if not self.have_groups_params():
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
        cdef bint foreign = False  # whether code of another library has run
        cdef PyObject *g = <PyObject *>grads
        for i in range(self.n):
            leaf = self.leaf + i
            if leaf.node >= 0:
                g = child(<object>self.node[leaf.node].grads, self.keys[i], leaf.index)
                if g == NULL:
                    return False
            if leaf.scalar and not cnp.PyArray_CheckExact(<object>g):
                array = as_array(<object>g, self.params[i], self.converts)
                foreign = foreign or not isinstance(<object>g, np.generic)
                g = <PyObject *>array
            Py_INCREF(<object>g)
            leaf.grad = g
            self.held = i + 1
            if not self.is_in_place(i):
                return False
        for node, key, index in self.holes:
            if child(self.containers[node], key, index) != <PyObject *>None:
                return False
            theirs = <object>self.node[<int>node].grads
            if child(theirs, key, index) != <PyObject *>None:
                return False
        return not foreign or self.are_all_in_place()

    cdef bint have_groups_params(self) except -1:
        """Whether the dict of each group still has the params of the group."""
        cdef Py_ssize_t i
        for i in range(len(self.owners)):
            owner = self.owners[i]
            if owner is not None and owner.get("params") is not self.groups[i].params:
                return False
        return True

    cdef bint are_all_in_place(self) except -1:
        """Whether the structure of the params, and each of them, is as it was: code of
        another library, which makes an array of a gradient, may have changed it."""
        cdef Py_ssize_t i, index
        if not self.have_groups_params():
            return False
        for i in range(self.n_nodes):
            container = self.containers[i]
            if length(container, PyDict_Check(container)) != self.lengths[i]:
                return False
            if i > 0 and child(
                self.containers[self.node[i].parent], self.node_keys[i],
                self.node[i].index,
            ) != <PyObject *>container:
                return False
        for node, key, index in self.holes:
            if child(self.containers[node], key, index) != <PyObject *>None:
                return False
        return self.are_in_place()

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

    cdef void let_go(self) noexcept:
        """Drop the references that a step holds."""
        while self.held > 0:
            self.held -= 1
            Py_DECREF(<object>self.leaf[self.held].grad)
        while self.held_nodes > 0:
            self.held_nodes -= 1
            Py_DECREF(<object>self.node[self.held_nodes].grads)
