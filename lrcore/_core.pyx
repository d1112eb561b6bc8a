# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The binding: a Plan resolves pointers once; its step() is one call of lrc_step().

What is wrong with an array is decided here, in a few nanoseconds; what to say about it is
decided in _check.py, which looks again, at leisure, and raises.
"""

from typing import NamedTuple

import numpy as np

from lrcore import _check

cimport numpy as cnp
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject
from libc.stdint cimport uintptr_t
from libc.string cimport memset

cnp.import_array()


cdef extern from "lrcore.h" nogil:
    enum:
        LRC_MAX_STATES
        LRC_MAX_COEFS
        LRC_MAX_AVERAGES
        LRC_MAX_SCALE_COEFS
        LRC_PARALLEL_FROM
        LRC_STRIP
        LRC_N_RULES
        LRC_N_SCALES
    ctypedef enum lrc_dtype:
        LRC_F32
        LRC_F64
    ctypedef enum lrc_rule:
        pass
    ctypedef struct lrc_rule_info:
        const char *name
        int n_state
        const char *states
        const char *coefs
    const lrc_rule_info lrc_rules[]
    ctypedef enum lrc_scale:
        pass
    ctypedef struct lrc_scale_info:
        const char *name
        bint emits
        int n_state
        const char *states
        const char *coefs
    const lrc_scale_info lrc_scales[]
    ctypedef enum lrc_factoring:
        LRC_UNFACTORED
        LRC_PRODUCT
        LRC_LEAST
    ctypedef struct lrc_factors:
        lrc_factoring factoring
        const void *row
        const void *col
        size_t n_rows
        size_t n_cols
        double floor
    ctypedef struct lrc_tensor:
        void *p
        const void *g
        void *s[LRC_MAX_STATES]
        void *a[LRC_MAX_AVERAGES]
        void *u
        double *scale_state
        lrc_factors factors
        size_t n
        lrc_dtype dtype
        unsigned group
    ctypedef struct lrc_average:
        double weight
        bint pulls
    ctypedef struct lrc_group:
        lrc_rule rule
        double coef[LRC_MAX_COEFS]
        lrc_scale scale
        double scale_coef[LRC_MAX_SCALE_COEFS]
        lrc_average average[LRC_MAX_AVERAGES]
    ctypedef struct lrc_squares:
        pass
    ctypedef struct lrc_plan:
        lrc_tensor *tensor
        size_t n_tensors
        size_t total
        size_t n_strips
        lrc_group *group
        size_t n_groups
        lrc_squares *squares
        int num_threads
        int keep_subnormals
        size_t parallel_from
    void lrc_plan_tensors(lrc_plan *)
    void lrc_step(lrc_plan *)
    void lrc_factor_stats(const lrc_tensor *, double *, double *, int, int)
    size_t lrc_isa_count()
    const char *lrc_isa_name(size_t)
    int lrc_isa_runs(size_t)
    const char *lrc_isa()
    int lrc_set_isa(const char *)
    int lrc_num_threads()
    void lrc_set_num_threads(int)
    int lrc_has_openmp()

cdef extern from "Python.h":
    PyObject *PyDict_GetItemWithError(object, object) except? NULL
    PyObject *PyList_GET_ITEM(object, Py_ssize_t)
    PyObject *PyTuple_GET_ITEM(object, Py_ssize_t)
    bint PyObject_TypeCheck(object, type)
    bint PyDict_Check(object)
    bint PyList_Check(object)
    bint PyTuple_Check(object)
    Py_ssize_t PyDict_Size(object)
    Py_ssize_t PyList_GET_SIZE(object)
    Py_ssize_t PyTuple_GET_SIZE(object)


class Rule(NamedTuple):
    """A line of rules.def."""

    id: int
    states: tuple
    coefs: tuple


class Scale(NamedTuple):
    """A line of scales.def; the name "" is that of no scale."""

    id: int
    states: tuple
    coefs: tuple
    emits: bool


class Factors(NamedTuple):
    """A tensor as matrices in a row, whose second moment is factored.

    least : whether it is the least of the two factors, and not their product.
    row, col : factors, of the tensor's dtype: n_rows and n_cols of each matrix.
    floor : see lrcore.h.
    """

    least: bool
    row: object
    col: object
    n_rows: int
    n_cols: int
    floor: float


def _names(const char *listed):
    return tuple(name for name in listed.decode().split(", ") if name)


RULES = {
    lrc_rules[i].name.decode(): Rule(i, _names(lrc_rules[i].states), _names(lrc_rules[i].coefs))
    for i in range(LRC_N_RULES)
}
SCALES = {
    lrc_scales[i].name.decode(): Scale(
        i, _names(lrc_scales[i].states), _names(lrc_scales[i].coefs), lrc_scales[i].emits
    )
    for i in range(LRC_N_SCALES)
}
STRIP = LRC_STRIP

cdef int N_COEFS[LRC_N_RULES]
for _rule in RULES.values():
    N_COEFS[<int>_rule.id] = len(_rule.coefs)


# --- instruction sets and threads ------------------------------------------------------


def isas():
    """The kernel tables of this build, best last: {name: whether it runs here}."""
    return {lrc_isa_name(i).decode(): bool(lrc_isa_runs(i)) for i in range(lrc_isa_count())}


def isa():
    """The name of the kernel table in use."""
    return lrc_isa().decode()


def set_isa(name):
    """Use the table of that name, or the best one (None); False where it cannot run."""
    if name is None:
        return lrc_set_isa(NULL) == 0
    return lrc_set_isa(name.encode()) == 0


def num_threads():
    """Threads that a step may use where its optimizer does not say."""
    return lrc_num_threads()


def set_num_threads(int n):
    """Set it; 0 for the default of OpenMP."""
    lrc_set_num_threads(n)


def has_openmp():
    """Whether this build has more than one thread."""
    return bool(lrc_has_openmp())


# --- what a kernel may be given --------------------------------------------------------


cdef type MASKED = np.ma.MaskedArray
SCALAR = np.zeros(())
PULLS = frozenset({"slow"})  # averages that p becomes


cdef int layout(cnp.ndarray a) noexcept:
    """The flags that an array laid out like `a` has; 0 where no kernel can read it."""
    if cnp.PyArray_CHKFLAGS(a, cnp.NPY_ARRAY_C_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED):
        return cnp.NPY_ARRAY_C_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED
    if cnp.PyArray_CHKFLAGS(a, cnp.NPY_ARRAY_F_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED):
        return cnp.NPY_ARRAY_F_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED
    return 0


cdef bint plain(obj):
    """Whether it is an array whose elements are what its buffer holds."""
    return cnp.PyArray_CheckExact(obj) or (
        cnp.PyArray_Check(obj) and not PyObject_TypeCheck(obj, MASKED)
    )


cdef bint fits(obj, cnp.ndarray p, int flags):
    """Whether it is an array of p's type and shape that has these flags."""
    if not plain(obj):
        return False
    cdef cnp.ndarray a = <cnp.ndarray>obj
    cdef int i, ndim = cnp.PyArray_NDIM(p)
    if (
        cnp.PyArray_TYPE(a) != cnp.PyArray_TYPE(p)
        or cnp.PyArray_ISBYTESWAPPED(a)
        or not cnp.PyArray_CHKFLAGS(a, flags)
        or cnp.PyArray_NDIM(a) != ndim
    ):
        return False
    for i in range(ndim):
        if cnp.PyArray_DIM(a, i) != cnp.PyArray_DIM(p, i):
            return False
    return True


cdef void *data(array) except? NULL:
    return cnp.PyArray_DATA(<cnp.ndarray?>array)


cdef int set_tensor(lrc_tensor *t, cnp.ndarray p, group, state) except -1:
    """Point a tensor to p and to its arrays, in the order of the group's rule, averages
    and scale."""
    t.p = cnp.PyArray_DATA(p)
    t.n = <size_t>cnp.PyArray_SIZE(p)
    t.dtype = LRC_F32 if cnp.PyArray_TYPE(p) == cnp.NPY_FLOAT32 else LRC_F64
    scale = SCALES[group.scale]
    for i, name in enumerate(RULES[group.rule].states):
        t.s[i] = data(state[name])
    for i, name in enumerate(group.averages):
        t.a[i] = data(state[name])
    for name in scale.states:
        t.scale_state = <double *>data(state[name])
    if scale.emits:
        t.u = data(state["u"])
    return 0


cdef int set_group(lrc_group *c, group) except -1:
    c.rule = <lrc_rule><int>RULES[group.rule].id
    c.scale = <lrc_scale><int>SCALES[group.scale].id
    for i, name in enumerate(group.averages):
        c.average[i].pulls = name in PULLS
    return 0


cdef int set_numbers(lrc_group *group, tuple folded, t) except -1:
    """Set a group's numbers for step t, from 1, as _hyper.Folded gives them."""
    coefs, lr, group.coef[0], group.coef[1], decay, weights, scale, _ = folded
    cdef tuple numbers = coefs(t, lr, decay)
    cdef Py_ssize_t i
    if not N_COEFS[<int>group.rule] <= len(numbers) - 2 <= LRC_MAX_COEFS - 4:
        raise ValueError(f"coefs: expected {N_COEFS[<int>group.rule]}, found {len(numbers) - 2}")
    for i in range(len(numbers)):
        group.coef[2 + i] = numbers[i]
    if weights is not None:
        numbers = weights(t)
        for i in range(min(<Py_ssize_t>LRC_MAX_AVERAGES, len(numbers))):
            group.average[i].weight = numbers[i]
    if scale is not None:
        numbers = scale(t)
        for i in range(min(<Py_ssize_t>LRC_MAX_SCALE_COEFS, len(numbers))):
            group.scale_coef[i] = numbers[i]
    return 0


def apply(part, p, g, tuple arrays, t, int num_threads, bint keep_subnormals):
    """Take step t, from 1, of one tensor whose state is the caller's.

    part: what has rule, scale, averages and folded; arrays: in that order.
    """
    cdef lrc_plan plan
    cdef lrc_tensor tensor
    cdef lrc_group c_group
    memset(&plan, 0, sizeof(plan))
    memset(&tensor, 0, sizeof(tensor))
    memset(&c_group, 0, sizeof(c_group))
    cdef int flags = layout(p) if plain(p) else 0
    scale = SCALES[part.scale]
    names = RULES[part.rule].states + part.averages + (("u",) if scale.emits else ())
    cdef Py_ssize_t alike = len(names)
    names += scale.states
    cdef bint ok = (
        flags != 0
        and cnp.PyArray_TYPE(p) in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64)
        and fits(p, p, flags | cnp.NPY_ARRAY_WRITEABLE)
        and fits(g, p, flags)
        and len(arrays) == len(names)
    )
    if ok:
        for array in arrays[:alike]:
            ok = ok and fits(array, p, flags | cnp.NPY_ARRAY_WRITEABLE)
        for array in arrays[alike:]:
            ok = ok and fits(array, SCALAR, layout(SCALAR) | cnp.NPY_ARRAY_WRITEABLE)
    if ok:
        ok = disjoint((p, g) + arrays)
    if not ok:
        _check.kernel_arguments(p, g, names, arrays, alike)

    set_tensor(&tensor, p, part, dict(zip(names, arrays)))
    tensor.g = cnp.PyArray_DATA(<cnp.ndarray>g)
    set_group(&c_group, part)
    set_numbers(&c_group, part.folded, t)
    plan.tensor, plan.n_tensors = &tensor, 1
    plan.group, plan.n_groups = &c_group, 1
    plan.num_threads, plan.keep_subnormals = num_threads, keep_subnormals
    plan.parallel_from = LRC_PARALLEL_FROM
    lrc_plan_tensors(&plan)
    if part.scale:
        plan.squares = <lrc_squares *>allocate(plan.n_strips, sizeof(lrc_squares))
    with nogil:
        lrc_step(&plan)
    PyMem_Free(plan.squares)


cdef int set_factors(lrc_tensor *t, factors) except -1:
    t.factors.factoring = LRC_LEAST if factors.least else LRC_PRODUCT
    t.factors.row, t.factors.col = data(factors.row), data(factors.col)
    t.factors.n_rows, t.factors.n_cols = factors.n_rows, factors.n_cols
    t.factors.floor = factors.floor
    return 0


def factor_stats(cnp.ndarray g, factors, int num_threads=0, bint keep_subnormals=False):
    """What lrc_factor_stats() says of a gradient: of its rows, and of its columns."""
    cdef lrc_tensor tensor
    memset(&tensor, 0, sizeof(tensor))
    tensor.g = cnp.PyArray_DATA(g)
    tensor.n = <size_t>cnp.PyArray_SIZE(g)
    tensor.dtype = LRC_F32 if cnp.PyArray_TYPE(g) == cnp.NPY_FLOAT32 else LRC_F64
    set_factors(&tensor, factors)
    rows = g.size // factors.n_cols if g.size else 0
    row, col = np.zeros(rows), np.zeros(rows // factors.n_rows * factors.n_cols if rows else 0)
    cdef double *row_data = <double *>data(row)
    cdef double *col_data = <double *>data(col)
    with nogil:
        lrc_factor_stats(&tensor, row_data, col_data, num_threads, keep_subnormals)
    return row, col


cdef bint disjoint(tuple arrays):
    """Whether no two of these arrays overlap."""
    cdef Py_ssize_t i, j
    cdef uintptr_t a, b
    for i in range(len(arrays)):
        a = <uintptr_t>cnp.PyArray_DATA(<cnp.ndarray>arrays[i])
        for j in range(i):
            b = <uintptr_t>cnp.PyArray_DATA(<cnp.ndarray>arrays[j])
            if (
                a < b + <size_t>cnp.PyArray_NBYTES(<cnp.ndarray>arrays[j])
                and b < a + <size_t>cnp.PyArray_NBYTES(<cnp.ndarray>arrays[i])
            ):
                return False
    return True


# --- a plan ----------------------------------------------------------------------------

cdef struct leaf_t:
    int node  # its container, -1 where the tree is one array
    Py_ssize_t index  # its key, where that is a sequence
    int type_num
    int flags  # what its gradient must have
    uintptr_t apart  # where its gradient was when last seen to overlap nothing
    PyObject *grad  # held during a step

cdef struct node_t:
    int parent
    Py_ssize_t index
    PyObject *grads  # what stands in its place in the gradients, held during a step

cdef struct buffer_t:
    uintptr_t start
    uintptr_t end


cdef void *allocate(size_t n, size_t size) except NULL:
    cdef void *memory = PyMem_Calloc(n if n else 1, size)
    if memory == NULL:
        raise MemoryError
    return memory


cdef PyObject *child(container, key, Py_ssize_t index) except? NULL:
    """container[key], borrowed; NULL where there is none.  index: the key of a sequence."""
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


cdef Py_ssize_t length(obj, bint as_dict):
    """Its length; -1 where it is no dict, or no list or tuple."""
    if as_dict:
        return PyDict_Size(obj) if PyDict_Check(obj) else -1
    if PyList_Check(obj):
        return PyList_GET_SIZE(obj)
    return PyTuple_GET_SIZE(obj) if PyTuple_Check(obj) else -1


cdef class Plan:
    """The tensors of an optimizer: resolved once, updated by one call a step.

    tree : the flattened params (_tree.Tree), which _check.params() has passed.
    groups : the user's; `hyper_at(t)` is asked where a part's numbers are scheduled.
    parts : (index of the group, part): what has `rule`, `scale` and `averages`, all by
        name; `folded`, the numbers of a step; where that is None, `fold(hyper)`.
    part_of : each leaf's index into parts.
    states : each leaf's arrays by name: what its part's rule, scale and averages name.
        They do not own their memory, so that it cannot be resized.
    t : steps taken.
    busy : why it cannot step now, or None.
    """

    cdef readonly object tree
    cdef readonly tuple groups
    cdef public object t
    cdef public object busy
    cdef list params, states, named, parts, group_of, leaves_of, prepares, made, keys
    cdef list containers, node_keys, lengths, owners
    cdef lrc_plan plan
    cdef leaf_t *leaf
    cdef node_t *node
    cdef buffer_t *buffer  # the plan's own, by address
    cdef Py_ssize_t n_buffers
    cdef Py_ssize_t *first_group  # of each part, in plan.group

    def __cinit__(self, tree, tuple groups, tuple parts, part_of, states):
        cdef Py_ssize_t i, k
        self.tree = tree
        self.groups = groups
        self.parts = [part for _, part in parts]
        self.group_of = [index for index, _ in parts]
        self.t = 0
        self.params = [leaf.array for leaf in tree.leaves]
        self.states = [tuple(state.values()) for state in states]
        self.named = list(states)
        self.leaves_of = [[] for _ in parts]
        for i, k in enumerate(part_of):
            self.leaves_of[k].append(i)
        one_kernel = all(part.kind._one_kernel for _, part in parts)
        self.prepares = None if one_kernel else [None] * len(parts)
        self.keys = [leaf.key for leaf in tree.leaves]
        self.containers = [node.container for node in tree.nodes]
        self.node_keys = [node.key for node in tree.nodes]
        self.lengths = [length(c, PyDict_Check(c)) for c in self.containers]
        self.owners = [group.owner for group in groups]

        self.plan.parallel_from = LRC_PARALLEL_FROM
        # A part with a scale has as many groups in C as it has leaves.
        counts = [0 if part.scale else 1 for _, part in parts]
        for k in part_of:
            counts[k] += bool(parts[k][1].scale)
        self.plan.n_groups = sum(counts)
        self.plan.group = <lrc_group *>allocate(sum(counts), sizeof(lrc_group))
        self.first_group = <Py_ssize_t *>allocate(len(parts) + 1, sizeof(Py_ssize_t))
        for i, (_, part) in enumerate(parts):
            self.first_group[i + 1] = self.first_group[i] + counts[i]
            for k in range(self.first_group[i], self.first_group[i + 1]):
                set_group(self.plan.group + k, part)
        self.node = <node_t *>allocate(len(self.containers), sizeof(node_t))
        for i, node in enumerate(tree.nodes):
            self.node[i].parent = node.parent
            if node.parent >= 0:
                self.node[i].index = index_of(self.containers[node.parent], node.key)
        self.plan.n_tensors = len(self.params)
        self.plan.tensor = <lrc_tensor *>allocate(len(self.params), sizeof(lrc_tensor))
        self.leaf = <leaf_t *>allocate(len(self.params), sizeof(leaf_t))
        following = [self.first_group[i] for i in range(len(parts))]
        for i, leaf in enumerate(tree.leaves):
            part = parts[part_of[i]][1]
            set_tensor(self.plan.tensor + i, leaf.array, part, states[i])
            self.plan.tensor[i].group = following[part_of[i]]
            following[part_of[i]] += bool(part.scale)
            self.leaf[i].node = leaf.node
            if leaf.node >= 0:
                self.leaf[i].index = index_of(self.containers[leaf.node], leaf.key)
            self.leaf[i].flags = layout(leaf.array)
            self.leaf[i].type_num = cnp.PyArray_TYPE(<cnp.ndarray>leaf.array)
        lrc_plan_tensors(&self.plan)
        if any(part.scale for _, part in parts):
            self.plan.squares = <lrc_squares *>allocate(
                self.plan.n_strips, sizeof(lrc_squares)
            )

        owned = [array for arrays in self.states for array in arrays]
        buffers = _check.buffers([*self.params, *owned])
        self.n_buffers = len(buffers)
        self.buffer = <buffer_t *>allocate(len(buffers), sizeof(buffer_t))
        for i, (start, end) in enumerate(buffers):
            self.buffer[i].start, self.buffer[i].end = start, end

    def __dealloc__(self):
        PyMem_Free(self.plan.group)
        PyMem_Free(self.plan.squares)
        PyMem_Free(self.first_group)
        PyMem_Free(self.plan.tensor)
        PyMem_Free(self.leaf)
        PyMem_Free(self.node)
        PyMem_Free(self.buffer)

    @property
    def total(self):
        """Elements in all tensors."""
        return self.plan.total

    @property
    def parallel_from(self):
        """The least number of elements that more than one thread shares."""
        return self.plan.parallel_from

    @parallel_from.setter
    def parallel_from(self, size_t n):
        self.plan.parallel_from = n

    def step(self, grads, int num_threads, bint keep_subnormals):
        """Update every tensor and count the step.

        Where anything is wrong, nothing has been written.
        """
        if self.busy is not None:
            raise RuntimeError(self.busy)
        self.busy = "this optimizer is in the middle of a step"
        try:
            t = self.t + 1
            self.set_groups(t)
            if not (self.find(grads) and self.take_all(grads)):
                _check.step_arguments(self.tree, self.groups, grads, self.states)
            self.plan.num_threads = num_threads
            self.plan.keep_subnormals = keep_subnormals
            if self.prepares is not None:
                self.prepare(t, (num_threads, keep_subnormals))
            if self.plan.total < self.plan.parallel_from:
                lrc_step(&self.plan)  # too short for another thread to be worth waking
            else:
                with nogil:
                    lrc_step(&self.plan)
            self.t = t  # here, where no signal handler comes between
        finally:
            self.release()
            self.busy = None

    cdef int prepare(self, t, tuple how) except -1:
        """Where a part makes its directions in Python, have them made, then written.

        how: the number of threads, and whether to keep subnormals.
        """
        cdef Py_ssize_t i, k
        self.made, writes = [], []
        for i in range(len(self.prepares)):
            if self.prepares[i] is None or not self.leaves_of[i]:
                continue
            leaves = self.leaves_of[i]
            items = [(self.params[k], <object>self.leaf[k].grad, self.named[k]) for k in leaves]
            with np.errstate(all="ignore"):  # as in the kernels
                made, new = self.prepares[i](t, items, how)
            writes += new
            for k, direction in zip(leaves, made):
                self.made.append(direction)  # held during the step
                if isinstance(direction, Factors):
                    set_factors(self.plan.tensor + k, direction)
                else:
                    self.plan.tensor[k].g = data(direction)
        if writes:
            with np.errstate(all="ignore"):  # nor can it stop between two of them
                for array, value in writes:
                    array[...] = value
        return 0

    cdef int set_groups(self, t) except -1:
        """Set the numbers of step t, from 1.  Schedules run here, and may do anything."""
        cdef Py_ssize_t i, k, first
        cdef Py_ssize_t asked = -1  # the last group that had to be, and what it said
        hyper = None
        for i in range(len(self.parts)):
            part = self.parts[i]
            folded = part.folded
            if folded is None:
                if asked != self.group_of[i]:
                    asked = self.group_of[i]
                    hyper = self.groups[asked].hyper_at(t - 1)
                folded = part.fold(hyper)
            first = self.first_group[i]
            if first == self.first_group[i + 1]:
                continue
            set_numbers(self.plan.group + first, folded, t)
            if self.prepares is not None:
                self.prepares[i] = folded[7]
            for k in range(first + 1, self.first_group[i + 1]):
                self.plan.group[k] = self.plan.group[first]
        return 0

    cdef bint find(self, grads) except -1:
        """Find and hold the gradients' containers; False where they are not as in the
        params, or the params' own are no longer as they were."""
        cdef Py_ssize_t i, size, index
        cdef int up
        cdef bint is_dict
        cdef PyObject *here = <PyObject *>grads
        for i in range(len(self.owners)):
            owner = self.owners[i]
            if owner is not None and owner.get("params") is not self.groups[i].params:
                return False
        for i in range(len(self.containers)):
            container, size = self.containers[i], self.lengths[i]
            if i > 0:
                up, index = self.node[i].parent, self.node[i].index
                parent, key = self.containers[up], self.node_keys[i]
                if child(parent, key, index) != <PyObject *>container:
                    return False
                here = child(<object>self.node[up].grads, key, index)
                if here == NULL:
                    return False
            Py_INCREF(<object>here)
            self.node[i].grads = here
            is_dict = PyDict_Check(container)
            if not size == length(container, is_dict) == length(<object>here, is_dict):
                return False
        return True

    cdef bint take_all(self, grads) except -1:
        cdef size_t i
        for i in range(self.plan.n_tensors):
            if not self.take(<Py_ssize_t>i, grads):
                return False
        # Addresses last: a key's comparison may have run the user's code until here.
        for i in range(self.plan.n_tensors):
            g = <object>self.leaf[i].grad
            if cnp.PyArray_SIZE(<cnp.ndarray>g) != <Py_ssize_t>self.plan.tensor[i].n:
                return False
            self.plan.tensor[i].g = cnp.PyArray_DATA(<cnp.ndarray>g)
        return True

    cdef void release(self) noexcept:
        """Let go of what a step holds."""
        self.made = None
        cdef size_t i
        for i in range(self.plan.n_tensors):
            if self.leaf[i].grad == NULL:
                break
            Py_DECREF(<object>self.leaf[i].grad)
            self.leaf[i].grad = NULL
        for i in range(<size_t>len(self.containers)):
            if self.node[i].grads == NULL:
                break
            Py_DECREF(<object>self.node[i].grads)
            self.node[i].grads = NULL

    cdef bint take(self, Py_ssize_t i, grads) except -1:
        """Take and hold leaf i's gradient; False where it or its parameter cannot be
        stepped."""
        cdef leaf_t *leaf = self.leaf + i
        cdef lrc_tensor *t = self.plan.tensor + i
        cdef cnp.ndarray p = <cnp.ndarray>self.params[i]
        cdef PyObject *g = <PyObject *>grads
        cdef uintptr_t start
        if leaf.node >= 0:
            key = self.keys[i]
            if child(self.containers[leaf.node], key, leaf.index) != <PyObject *>p:
                return False
            g = child(<object>self.node[leaf.node].grads, key, leaf.index)
        if (
            g == NULL
            or cnp.PyArray_DATA(p) != t.p
            or cnp.PyArray_SIZE(p) != <Py_ssize_t>t.n
            or cnp.PyArray_TYPE(p) != leaf.type_num
            or cnp.PyArray_ISBYTESWAPPED(p)
            or not cnp.PyArray_CHKFLAGS(p, leaf.flags | cnp.NPY_ARRAY_WRITEABLE)
            or not fits(<object>g, p, leaf.flags)
        ):
            return False
        start = <uintptr_t>cnp.PyArray_DATA(<cnp.ndarray>g)
        if start != leaf.apart:
            if self.overlaps(start, <size_t>cnp.PyArray_NBYTES(<cnp.ndarray>g)):
                return False
            leaf.apart = start
        Py_INCREF(<object>g)
        leaf.grad = g
        return True

    cdef bint overlaps(self, uintptr_t start, size_t size) noexcept:
        """Whether these bytes overlap one of the plan's own buffers."""
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
