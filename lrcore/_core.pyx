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
from libc.math cimport NAN, isfinite, sqrt
from libc.stdint cimport uintptr_t
from libc.string cimport memcpy, memset

cnp.import_array()


cdef extern from "lrcore.h" nogil:
    enum:
        LRC_MAX_STATES
        LRC_MAX_COEFS
        LRC_MAX_AVERAGES
        LRC_MAX_SCALE_COEFS
        LRC_MAX_GAUGE_COEFS
        LRC_MAX_GAUGED
        LRC_MAX_SUMS
        LRC_PARALLEL_FROM
        LRC_N_RULES
        LRC_N_SCALES
        LRC_N_GAUGES
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
    ctypedef enum lrc_gauge:
        pass
    ctypedef struct lrc_gauge_info:
        const char *name
        int n_array
        const char *arrays
        int n_sum
        const char *coefs
    const lrc_gauge_info lrc_gauges[]
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
    ctypedef struct lrc_units:
        size_t outer
        size_t reduced
        size_t inner
        double *gg
        double *pp
        void *factor
    ctypedef struct lrc_tensor:
        void *p
        void *g
        void *acc
        void *s[LRC_MAX_STATES]
        void *a[LRC_MAX_AVERAGES]
        void *u
        void *mechanic_delta
        void *mechanic_p0
        double *scale_state
        const void *gauged[LRC_MAX_GAUGED]
        lrc_factors factors
        lrc_units units
        size_t n
        size_t first_strip
        lrc_dtype dtype
        unsigned group
    ctypedef struct lrc_average:
        double weight
        bint pulls
    ctypedef struct lrc_mechanic:
        double keep
        double before
        double now
    ctypedef struct lrc_group:
        lrc_rule rule
        double coef[LRC_MAX_COEFS]
        lrc_scale scale
        double scale_coef[LRC_MAX_SCALE_COEFS]
        lrc_gauge gauge
        double gauge_coef[LRC_MAX_GAUGE_COEFS]
        double clip_value
        double clip_norm
        double agc
        double agc_eps
        lrc_mechanic mechanic
        lrc_average average[LRC_MAX_AVERAGES]
    ctypedef struct lrc_sums:
        pass
    ctypedef struct lrc_report:
        double g
        double clipped
        double p
        double u
        size_t nonfinite
    ctypedef struct lrc_plan:
        lrc_tensor *tensor
        size_t n_tensors
        size_t total
        size_t n_strips
        lrc_group *group
        size_t n_groups
        lrc_sums *sums
        lrc_report *report
        double grad_scale
        double clip_norm
        double clip_eps
        bint skip_nonfinite
        bint zero_grads
        bint gathered
        bint treated
        int num_threads
        bint keep_subnormals
        size_t parallel_from
    void lrc_plan_tensors(lrc_plan *)
    bint lrc_plan_treats(const lrc_plan *)
    bint lrc_step(lrc_plan *)
    bint lrc_treat(lrc_plan *, void *const *)
    void lrc_read_gauges(const lrc_plan *, double *, double *)
    void lrc_gather(lrc_plan *, bint)
    void lrc_traffic(const float *, float *const *, int, size_t, int)
    void lrc_factor_stats(const lrc_tensor *, double *, double *, int, int)
    size_t lrc_isa_count()
    const char *lrc_isa_name(size_t)
    int lrc_isa_runs(size_t)
    const char *lrc_isa()
    int lrc_set_isa(const char *)
    int lrc_num_threads()
    void lrc_set_num_threads(int)
    void lrc_limit_threads(int)
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


class Gauge(NamedTuple):
    """A line of gauges.def; the name "" is that of no gauge."""

    id: int
    arrays: tuple
    n_sum: int
    coefs: tuple


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
GAUGES = {
    lrc_gauges[i].name.decode(): Gauge(
        i, _names(lrc_gauges[i].arrays), lrc_gauges[i].n_sum, _names(lrc_gauges[i].coefs)
    )
    for i in range(LRC_N_GAUGES)
}
# Arrays beside the rule's states: of a scale that emits, of gradients gathered; and of
# Mechanic, with the numbers that its group carries.
SCRATCH, GATHERED = "u", "acc"
MECHANIC = ("mechanic_delta", "mechanic_p0")
MECHANIC_NUMBERS = "mechanic"

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


def limit_threads(int n):
    """Let the default be at most n; 0 for no limit."""
    lrc_limit_threads(n)


def has_openmp():
    """Whether this build has more than one thread."""
    return bool(lrc_has_openmp())


# --- what a kernel may be given --------------------------------------------------------


cdef type MASKED = np.ma.MaskedArray
SCALAR = np.zeros(())


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


cdef lrc_dtype dtype_of(cnp.ndarray a) noexcept:
    return LRC_F32 if cnp.PyArray_TYPE(a) == cnp.NPY_FLOAT32 else LRC_F64


cdef int set_tensor(lrc_tensor *t, cnp.ndarray p, group, state) except -1:
    """Point a tensor to p and to its arrays, in the order of the group's rule, averages
    and scale."""
    t.p = cnp.PyArray_DATA(p)
    t.n = <size_t>cnp.PyArray_SIZE(p)
    t.dtype = dtype_of(p)
    scale = SCALES[group.scale]
    for i, name in enumerate(RULES[group.rule].states):
        t.s[i] = data(state[name])
    for i, name in enumerate(group.averages):
        t.a[i] = data(state[name])
    for name in scale.states:
        t.scale_state = <double *>data(state[name])
    for i, name in enumerate(GAUGES[group.gauge].arrays):
        t.gauged[i] = data(state[name])
    if scale.emits:
        t.u = data(state[SCRATCH])
    if GATHERED in state:
        t.acc = data(state[GATHERED])
    if MECHANIC_NUMBERS in state:
        t.mechanic_delta, t.mechanic_p0 = data(state[MECHANIC[0]]), data(state[MECHANIC[1]])
    return 0


cdef int set_group(lrc_group *c, part) except -1:
    c.rule = <lrc_rule><int>RULES[part.rule].id
    c.scale = <lrc_scale><int>SCALES[part.scale].id
    c.gauge = <lrc_gauge><int>GAUGES[part.gauge].id
    for i, name in enumerate(part.averages):
        c.average[i].pulls = name in part.kind._PULLS
    return 0


cdef class Folded:
    """A step's numbers, but for what the step itself makes.

    coefs : (step from 1, lr, decay) to the driver's decay and lr, and the rule's own;
        where the group carries numbers or has a gauge, (step, lr, decay, numbers, sums)
        to what the numbers become, the same, and the rate to report.
    gauge : (step, lr, numbers) to the gauge's coefficients, or None.
    lr, decay, gscale, l2 : see lrcore.h.
    weights, scale : step to the weights of averages, to a scale's numbers; or None.
    prepare : what makes directions beforehand, or None.
    tune : Mechanic's: (its numbers, sums) to what they become and to those of the group.
    clip_value, clip_norm, agc, agc_eps : as in a group; 0 for none.
    """

    cdef readonly object coefs, lr, decay, weights, scale, gauge, prepare, tune
    cdef readonly double gscale, l2, clip_value, clip_norm, agc, agc_eps

    def __init__(
        self, coefs, lr, decay, double gscale, double l2, *, weights=None, scale=None,
        gauge=None, prepare=None, tune=None, double clip_value=0, double clip_norm=0,
        double agc=0, double agc_eps=0,
    ):
        self.coefs, self.lr, self.decay, self.gscale, self.l2 = coefs, lr, decay, gscale, l2
        self.weights, self.scale, self.prepare = weights, scale, prepare
        self.gauge, self.tune = gauge, tune
        self.clip_value, self.clip_norm = clip_value, clip_norm
        self.agc, self.agc_eps = agc, agc_eps


cdef int set_coefs(lrc_group *group, tuple numbers) except -1:
    """Set the driver's decay and lr, and the rule's own numbers."""
    cdef Py_ssize_t i
    if not N_COEFS[<int>group.rule] <= len(numbers) - 2 <= LRC_MAX_COEFS - 4:
        raise ValueError(f"coefs: expected {N_COEFS[<int>group.rule]}, found {len(numbers) - 2}")
    for i in range(len(numbers)):
        group.coef[2 + i] = numbers[i]
    return 0


cdef int set_numbers(lrc_group *group, Folded folded, t) except -1:
    """Set what else a group has for step t, from 1."""
    cdef tuple numbers
    cdef Py_ssize_t i
    group.coef[0], group.coef[1] = folded.gscale, folded.l2
    group.clip_value, group.clip_norm = folded.clip_value, folded.clip_norm
    group.agc, group.agc_eps = folded.agc, folded.agc_eps
    if folded.weights is not None:
        numbers = folded.weights(t)
        for i in range(min(<Py_ssize_t>LRC_MAX_AVERAGES, len(numbers))):
            group.average[i].weight = numbers[i]
    if folded.scale is not None:
        numbers = folded.scale(t)
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
    names = RULES[part.rule].states + part.averages + ((SCRATCH,) if scale.emits else ())
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
    set_coefs(&c_group, part.folded.coefs(t, part.folded.lr, part.folded.decay))
    plan.tensor, plan.n_tensors = &tensor, 1
    plan.group, plan.n_groups = &c_group, 1
    plan.num_threads, plan.keep_subnormals = num_threads, keep_subnormals
    plan.parallel_from, plan.grad_scale = LRC_PARALLEL_FROM, 1
    lrc_plan_tensors(&plan)
    if part.scale:
        plan.sums = <lrc_sums *>allocate(plan.n_strips, sizeof(lrc_sums))
    with nogil:
        lrc_step(&plan)
    PyMem_Free(plan.sums)


cdef int set_units(lrc_tensor *t, units) except -1:
    """Let a tensor's units be so, and have scratch."""
    cdef lrc_units *u = &t.units
    u.outer, u.reduced, u.inner = units
    cdef size_t n = u.outer * u.inner
    if n > 1:
        u.gg = <double *>allocate(3 * n, sizeof(double))
        u.pp, u.factor = u.gg + n, u.gg + 2 * n
    return 0


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
    tensor.dtype = dtype_of(g)
    set_factors(&tensor, factors)
    rows = g.size // factors.n_cols if g.size else 0
    row, col = np.zeros(rows), np.zeros(rows // factors.n_rows * factors.n_cols if rows else 0)
    cdef double *row_data = <double *>data(row)
    cdef double *col_data = <double *>data(col)
    with nogil:
        lrc_factor_stats(&tensor, row_data, col_data, num_threads, keep_subnormals)
    return row, col


def traffic(cnp.ndarray g, list arrays, int num_threads=0):
    """lrc_traffic() on contiguous arrays of one size, as floats."""
    cdef float *pointer[5]
    cdef size_t n = <size_t>cnp.PyArray_NBYTES(g) // sizeof(float)
    cdef int i, n_arrays = len(arrays)
    if not 1 <= n_arrays <= 5:
        raise ValueError(f"arrays: expected 1 to 5, found {n_arrays}")
    for i in range(n_arrays):
        if <size_t>arrays[i].nbytes != n * sizeof(float):
            raise ValueError(f"arrays[{i}]: expected {n * sizeof(float)} bytes")
        pointer[i] = <float *>data(arrays[i])
    with nogil:
        lrc_traffic(<const float *>cnp.PyArray_DATA(g), pointer, n_arrays, n, num_threads)


def treat(list arrays, *, bint write, double clip_value=0, double clip_norm=0, double eps=0):
    """Clip arrays in place, which _check has passed, or only look at them.

    Returns their norm before; 0 where they are clipped by value.
    """
    cdef lrc_plan plan
    cdef lrc_group group
    cdef Py_ssize_t i
    memset(&plan, 0, sizeof(plan))
    memset(&group, 0, sizeof(group))
    cdef size_t n = len(arrays)
    cdef void **out = NULL
    cdef double total = 0
    try:
        plan.tensor = <lrc_tensor *>allocate(n, sizeof(lrc_tensor))
        if clip_value == 0:  # else nobody asks for a norm
            plan.report = <lrc_report *>allocate(n, sizeof(lrc_report))
        out = <void **>allocate(n, sizeof(void *))
        plan.n_tensors = n
        plan.group, plan.n_groups = &group, 1
        plan.grad_scale, plan.parallel_from = 1, LRC_PARALLEL_FROM
        plan.clip_norm, plan.clip_eps = clip_norm, eps
        plan.keep_subnormals = True
        group.coef[2], group.clip_value = 1, clip_value
        for i in range(<Py_ssize_t>n):
            array = <cnp.ndarray>arrays[i]
            plan.tensor[i].g = out[i] = cnp.PyArray_DATA(array)
            plan.tensor[i].n = <size_t>cnp.PyArray_SIZE(array)
            plan.tensor[i].dtype = dtype_of(array)
        lrc_plan_tensors(&plan)
        plan.sums = <lrc_sums *>allocate(plan.n_strips, sizeof(lrc_sums))
        with nogil:
            lrc_treat(&plan, out if write else NULL)
        for i in range(<Py_ssize_t>n if plan.report != NULL else 0):
            total += plan.report[i].g
        return sqrt(total)
    finally:
        PyMem_Free(plan.tensor)
        PyMem_Free(plan.report)
        PyMem_Free(plan.sums)
        PyMem_Free(out)


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
        name; `alone`, whether each of its leaves takes numbers of its own; `folded`, the
        numbers of a step; where that is None, `fold(hyper)`.
    part_of : each leaf's index into parts.
    states : each leaf's arrays by name: what its part's rule, scale and averages name,
        and GATHERED, where gradients are.  They do not own their memory, so that
        it cannot be resized.
    units : each leaf's (outer, reduced, inner) for adaptive clipping, or None.
    copies : each leaf's arrays that begin as copies of it: of what it is in its first step.
    t : steps taken.
    gathered : gradients gathered since.
    to_come : leaves that step_one() has yet to step, in a round that it has begun.
    busy : why it cannot step now, or None.
    """

    cdef readonly object tree
    cdef readonly tuple groups
    cdef public object t
    cdef public object busy
    cdef readonly int gathered
    cdef readonly set to_come
    cdef list params, states, named, parts, group_of, leaves_of, prepares, made, keys
    cdef list pools  # of each part that has numbers of its past or a gauge
    cdef list folded  # of each part: what this step's numbers are made by
    cdef list written  # (array, what it becomes where the step is taken)
    cdef object loss  # what this step was told, over the number of gradients gathered
    cdef list copies  # of each leaf: what begins as a copy of it, in the first step
    cdef list leads  # of each part: whether its rate is its group's
    cdef double *gauge_sums  # LRC_MAX_SUMS of each tensor, then of each strip
    cdef list containers, node_keys, lengths, owners, rates
    cdef readonly list reported_rates  # the learning rates of groups in the last step
    cdef object scheduled  # t -> (grad_scale, clip_norm, clip_eps), where they change
    cdef double grad_scale
    cdef int accumulate
    cdef bint apart  # whether the gradients were found not to overlap each other
    cdef readonly bint reported, applied  # whether there was a step; whether it was taken
    cdef lrc_plan plan
    cdef leaf_t *leaf
    cdef node_t *node
    cdef buffer_t *buffer  # the plan's own, by address
    cdef Py_ssize_t n_buffers
    cdef Py_ssize_t *first_group  # of each part, in plan.group

    def __cinit__(
        self, tree, tuple groups, tuple parts, part_of, states, units, list copies=[]
    ):
        cdef Py_ssize_t i, k
        self.tree = tree
        self.groups = groups
        self.parts = [part for _, part in parts]
        self.group_of = [index for index, _ in parts]
        self.t = 0
        self.to_come = set()
        self.rates = [None] * len(groups)
        self.params = [leaf.array for leaf in tree.leaves]
        self.states = [tuple(state.values()) for state in states]
        self.named = list(states)
        self.leaves_of = [[] for _ in parts]
        for i, k in enumerate(part_of):
            self.leaves_of[k].append(i)
        self.pools, self.folded = [None] * len(parts), [None] * len(parts)
        self.leads = [
            self.leaves_of[i] and not any(self.leaves_of[k] for k in range(i)
                                          if parts[k][0] == index)
            for i, (index, _) in enumerate(parts)
        ]
        self.copies = copies
        self.written = []
        staged = any(part.kind._staged or part.gauge for _, part in parts)
        self.prepares = [None] * len(parts) if staged else None
        self.keys = [leaf.key for leaf in tree.leaves]
        self.containers = [node.container for node in tree.nodes]
        self.node_keys = [node.key for node in tree.nodes]
        self.lengths = [length(c, PyDict_Check(c)) for c in self.containers]
        self.owners = [group.owner for group in groups]

        self.plan.parallel_from = LRC_PARALLEL_FROM
        # A part whose leaves take numbers of their own has a group in C for each.
        counts = [0 if part.alone else 1 for _, part in parts]
        for k in part_of:
            counts[k] += bool(parts[k][1].alone)
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
            following[part_of[i]] += bool(part.alone)
            if units[i] is not None:
                set_units(self.plan.tensor + i, units[i])
            self.leaf[i].node = leaf.node
            if leaf.node >= 0:
                self.leaf[i].index = index_of(self.containers[leaf.node], leaf.key)
            self.leaf[i].flags = layout(leaf.array)
            self.leaf[i].type_num = cnp.PyArray_TYPE(<cnp.ndarray>leaf.array)
        lrc_plan_tensors(&self.plan)
        self.plan.sums = <lrc_sums *>allocate(self.plan.n_strips, sizeof(lrc_sums))
        for i, (_, part) in enumerate(parts):
            if part.carries or part.gauge:
                self.pools[i] = self.pools_of(i, part)
        if any(part.gauge for _, part in parts):
            self.gauge_sums = <double *>allocate(
                LRC_MAX_SUMS * (self.plan.n_tensors + self.plan.n_strips), sizeof(double)
            )

        owned = [array for arrays in self.states for array in arrays]
        buffers = _check.buffers([*self.params, *owned])
        self.n_buffers = len(buffers)
        self.buffer = <buffer_t *>allocate(len(buffers), sizeof(buffer_t))
        for i, (start, end) in enumerate(buffers):
            self.buffer[i].start, self.buffer[i].end = start, end

    def __dealloc__(self):
        cdef size_t i
        for i in range(self.plan.n_tensors if self.plan.tensor else 0):
            PyMem_Free(self.plan.tensor[i].units.gg)
        PyMem_Free(self.plan.group)
        PyMem_Free(self.plan.sums)
        PyMem_Free(self.plan.report)
        PyMem_Free(self.gauge_sums)
        PyMem_Free(self.first_group)
        PyMem_Free(self.plan.tensor)
        PyMem_Free(self.leaf)
        PyMem_Free(self.node)
        PyMem_Free(self.buffer)

    cdef list pools_of(self, Py_ssize_t i, part):
        """Leaves that have numbers in common: (they, its arrays, groups in C)."""
        cdef Py_ssize_t first = self.first_group[i], end = self.first_group[i + 1]
        leaves = self.leaves_of[i]
        groups = [(leaves, first, end)] if leaves else []
        if part.kind._apart:
            groups = [([leaf], first + k, first + k + 1) for k, leaf in enumerate(leaves)]
        return [
            (own, [self.named[own[0]][name] for name in part.carries], lo, hi)
            for own, lo, hi in groups
        ]

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

    def set_options(
        self, *, num_threads, bint keep_subnormals, bint skip_nonfinite, bint zero_grads,
        int accumulate, bint telemetry, numbers=None, scheduled=None,
    ):
        """Set how to step.

        numbers: grad_scale, clip_norm and clip_eps (0: none); or `scheduled`, from the
        steps taken before to these.
        """
        if telemetry and self.plan.report == NULL:
            self.plan.report = <lrc_report *>allocate(
                self.plan.n_tensors, sizeof(lrc_report)
            )
            for i in range(self.plan.n_tensors):
                self.plan.report[i].p = NAN
            self.reported = False
        if not telemetry:
            PyMem_Free(self.plan.report)
            self.plan.report, self.reported = NULL, False
        self.plan.num_threads = num_threads
        self.plan.keep_subnormals = keep_subnormals
        self.plan.skip_nonfinite = skip_nonfinite
        self.plan.zero_grads = zero_grads
        self.accumulate = accumulate
        self.scheduled = scheduled
        if scheduled is None:
            self.set_treatment(numbers)

    cdef int set_treatment(self, tuple numbers) except -1:
        self.grad_scale, self.plan.clip_norm, self.plan.clip_eps = numbers
        self.grad_scale /= self.accumulate
        return 0

    # --- a step ------------------------------------------------------------------------

    def step(self, grads, double grad_scale=1, bint skip_nonfinite=False, loss=None):
        """Update every tensor and count the step; return whether that was done.

        grad_scale, skip_nonfinite: on top of the options.  loss: where numbers are made
        of it, the last of a gauge's sums; the first number carried gathers it.  Where
        anything is wrong, nothing has been written.
        """
        self.enter()
        if self.to_come:
            self.busy = None
            _check.unfinished(self.tree, self.to_come)
        cdef bint gathers = self.gathered + 1 < self.accumulate
        cdef Py_ssize_t i
        try:
            t = self.t + 1
            self.loss = None if loss is None else loss / self.accumulate
            if not gathers:
                self.set_groups(t)
            if not (self.find(grads) and self.take_all(grads)):
                _check.step_arguments(self.tree, self.groups, grads, self.states)
            if self.plan.zero_grads:
                self.check_zeroable()
            if gathers:
                with nogil:
                    lrc_gather(&self.plan, self.gathered == 0)
                self.gather_loss()
                self.gathered += 1
                return False
            if self.t == 0:
                for i in range(len(self.copies)):
                    self.copy(i)
            self.plan.grad_scale = self.grad_scale * grad_scale
            self.plan.gathered = self.gathered > 0
            self.applied = self.run(&self.plan, 0, t, skip_nonfinite)
            self.gathered = 0
            self.set_reported()
            if self.applied:  # here, where no signal handler comes between
                self.t = t
                self.carry()
            return self.applied
        finally:
            self.release()
            self.busy = None

    def step_one(self, Py_ssize_t i, g):
        """Update leaf i alone, as a part of the step in which all others follow; None
        for g leaves it as it is.  Return whether it was updated."""
        cdef lrc_plan one
        cdef lrc_tensor tensor
        cdef bint applied = False
        if self.gauge_sums != NULL:
            _check.not_alone("this optimizer, or mechanic,")
        self.enter()
        try:
            if self.accumulate > 1:
                _check.not_alone(f"accumulate: found {self.accumulate}, which")
            if self.to_come and i not in self.to_come:
                _check.stepped_twice(self.tree, self.to_come, i)
            t = self.t + 1
            begins = not self.to_come
            self.set_groups(t)
            if self.plan.clip_norm:
                _check.not_alone(f"clip_norm: found {self.plan.clip_norm:g}, which")
            if g is not None:
                if not self.takes(i, <PyObject *>g):
                    _check.one_gradient(self.tree, i, g, self.states)
                if self.plan.zero_grads and not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>g):
                    _check.zeroable(["grad"], [g])
            if begins:
                self.clear_report()
            if g is not None:
                if self.t == 0 and self.copies:
                    self.copy(i)
                self.plan.tensor[i].g = cnp.PyArray_DATA(<cnp.ndarray>g)
                one, tensor = self.plan, self.plan.tensor[i]
                one.tensor, one.n_tensors = &tensor, 1
                one.group, one.n_groups, tensor.group = one.group + tensor.group, 1, 0
                one.grad_scale = self.grad_scale
                if one.sums != NULL:
                    one.sums += tensor.first_strip
                if one.report != NULL:
                    one.report += i
                lrc_plan_tensors(&one)
                applied = self.run(&one, i, t, False)
            if begins:
                self.to_come.update(range(self.plan.n_tensors))
            self.to_come.remove(i)
            self.applied = applied or (self.applied and not begins)
            self.set_reported()
            if not self.to_come:
                self.t = t
                if self.applied:
                    self.carry()
            return applied
        finally:
            self.release()
            self.busy = None

    def restart(self, t, int gathered):
        """Let t steps have been taken, so many gradients been gathered since, and no
        round been begun."""
        self.t, self.gathered, self.reported = t, gathered, False
        self.to_come.clear()

    cdef int copy(self, Py_ssize_t i) except -1:
        """Begin with leaf i as it is now: it may have been loaded since construction."""
        cdef lrc_tensor *t = self.plan.tensor + i
        cdef size_t size = cnp.PyArray_NBYTES(<cnp.ndarray>self.params[i])
        for array in self.copies[i]:
            memcpy(data(array), t.p, size)
        return 0

    cdef int gather_loss(self) except -1:
        cdef double *sum
        if self.loss is not None:
            for pool in self.pools:
                for _, arrays, _, _ in pool or ():
                    sum = <double *>data(arrays[0])
                    sum[0] = self.loss + (sum[0] if self.gathered > 0 else 0)
        return 0

    cdef int carry(self) except -1:
        """Carry on what groups do."""
        for array, value in self.written:
            if type(value) is float:
                (<double *>data(array))[0] = value
            else:
                memcpy(data(array), data(value), cnp.PyArray_NBYTES(<cnp.ndarray>array))
        return 0

    cdef int enter(self) except -1:
        if self.busy is not None:
            raise RuntimeError(self.busy)
        self.busy = "this optimizer is in the middle of a step"
        return 0

    cdef int set_reported(self) except -1:
        """There is a report now, with the rates of this step."""
        if self.plan.report != NULL:
            self.reported, self.reported_rates = True, [*self.rates]
        return 0

    cdef int clear_report(self) noexcept:
        """Forget what was measured, but for the params' norms."""
        cdef size_t i
        cdef double p
        for i in range(self.plan.n_tensors if self.plan.report != NULL else 0):
            p = self.plan.report[i].p
            memset(self.plan.report + i, 0, sizeof(lrc_report))
            self.plan.report[i].p = p
        return 0

    cdef bint run(self, lrc_plan *plan, Py_ssize_t first, t, bint skip_nonfinite) except -1:
        """Step the tensors of a plan, the first of which is that of leaf `first`."""
        cdef bint applied = True, checks = plan.skip_nonfinite
        plan.skip_nonfinite = checks or skip_nonfinite
        try:
            if self.prepares is not None:
                return self.prepare_and_run(plan, first, t)
            if plan.total < plan.parallel_from:
                applied = lrc_step(plan)  # too short for another thread to be worth waking
            else:
                with nogil:
                    applied = lrc_step(plan)
        finally:
            plan.skip_nonfinite = checks
        return applied

    cdef bint prepare_and_run(self, lrc_plan *plan, Py_ssize_t first, t) except -1:
        """The same, where a part makes its directions in Python."""
        cdef Py_ssize_t i
        cdef bint zeroes = plan.zero_grads
        cdef Py_ssize_t n = <Py_ssize_t>plan.n_tensors
        cdef list grads = [<object>self.leaf[first + i].grad for i in range(n)]
        try:
            plan.zero_grads = False
            applied = (
                self.treat(plan, grads)
                and not (plan.skip_nonfinite and self.lost())
                and self.prepare(plan, first, t, grads)
            )
            if applied:
                with nogil:
                    lrc_step(plan)
        finally:
            plan.treated, plan.zero_grads = False, zeroes
        if zeroes:
            for i in range(n):
                g = <cnp.ndarray>self.leaf[first + i].grad
                memset(cnp.PyArray_DATA(g), 0, cnp.PyArray_NBYTES(g))
        return applied

    cdef bint lost(self) except -1:
        """Whether the loss, with those gathered, is not finite."""
        cdef double sum = 0 if self.loss is None else self.loss
        for pool in self.pools if self.loss is not None and self.gathered > 0 else ():
            for _, arrays, _, _ in pool or ():
                sum += (<double *>data(arrays[0]))[0]
        return not isfinite(sum)

    cdef bint treat(self, lrc_plan *plan, list grads) except -1:
        """Put what a step takes into the place of the gradients; return whether it is
        taken."""
        cdef void **out = NULL
        cdef Py_ssize_t i
        cdef bint applied
        if lrc_plan_treats(plan):
            grads[:] = [np.empty_like(g, subok=False) for g in grads]
            out = <void **>allocate(len(grads), sizeof(void *))
            for i in range(len(grads)):
                out[i] = data(grads[i])
        elif plan.report == NULL:
            return True
        try:
            with nogil:
                applied = lrc_treat(plan, out)
        finally:
            PyMem_Free(out)
        plan.treated = True
        return applied

    cdef bint prepare(self, lrc_plan *plan, Py_ssize_t first, t, list grads) except -1:
        """Read gauges; have directions made where a part does that, then what goes with
        them written."""
        cdef Py_ssize_t i, k
        how = (plan.num_threads, plan.keep_subnormals)
        self.made, writes = [*grads], []  # held during the step
        for k in range(len(grads)):
            plan.tensor[k].g = data(grads[k])
        self.read_gauges(plan, t)
        for i in range(len(self.prepares)):
            leaves = [k for k in self.leaves_of[i] if first <= k < first + len(grads)]
            if self.prepares[i] is None or not leaves:
                continue
            items = [(self.params[k], grads[k - first], self.named[k]) for k in leaves]
            with np.errstate(all="ignore"):  # as in the kernels
                made, new = self.prepares[i](t, items, how)
            writes += new
            for k, direction in zip(leaves, made):
                self.made.append(direction)
                if isinstance(direction, Factors):
                    set_factors(plan.tensor + (k - first), direction)
                else:
                    plan.tensor[k - first].g = data(direction)
        with np.errstate(all="ignore"):
            writes = [(array, np.asarray(value, array.dtype)) for array, value in writes]
        for array, value in writes:  # where no signal handler comes between
            array[...] = value
        return True

    def report_of(self, leaves):
        """What lrc_report has of some leaves, added in their order."""
        cdef lrc_report *r
        cdef double g = 0, clipped = 0, p = 0, u = 0
        cdef Py_ssize_t i
        cdef size_t nonfinite = 0
        for i in leaves:
            r = self.plan.report + i
            g += r.g
            clipped += r.clipped
            p += r.p
            u += r.u
            nonfinite += r.nonfinite
        return g, clipped, p, u, nonfinite

    cdef int set_groups(self, t) except -1:
        """Set the numbers of step t, from 1.  Schedules run here, and may do anything."""
        if self.scheduled is not None:
            self.set_treatment(self.scheduled(t - 1))
        cdef Py_ssize_t i, k, first
        cdef Py_ssize_t asked = -1  # the last group that had to be, and what it said
        hyper = None
        self.written = []
        for i in range(len(self.parts)):
            part = self.parts[i]
            folded = part.folded
            if folded is None:
                if asked != self.group_of[i]:
                    asked = self.group_of[i]
                    hyper = self.groups[asked].hyper_at(t - 1)
                folded = part.fold(hyper)
            # Where it is found in the step, the last one stays until then.
            if self.rates[self.group_of[i]] is None or (
                self.leads[i] and self.pools[i] is None
            ):
                self.rates[self.group_of[i]] = (<Folded>folded).lr
            first = self.first_group[i]
            if first == self.first_group[i + 1]:
                continue
            set_numbers(self.plan.group + first, folded, t)
            self.folded[i] = folded
            if self.pools[i] is None:
                numbers = (<Folded>folded).coefs(t, folded.lr, folded.decay)
                set_coefs(self.plan.group + first, numbers)
            if self.prepares is not None:
                self.prepares[i] = (<Folded>folded).prepare
            for k in range(first + 1, self.first_group[i + 1]):
                self.plan.group[k] = self.plan.group[first]
            if self.pools[i] is not None:
                self.set_pools(i, t, False)
        return 0

    cdef int set_pools(self, Py_ssize_t i, t, bint gauged) except -1:
        """Set a part's numbers of step t, from 1, and what it carries on from there; or,
        where it has a gauge that is not read yet, the gauge's."""
        cdef Folded folded = self.folded[i]
        cdef Py_ssize_t k, j, n_sum = GAUGES[self.parts[i].gauge].n_sum
        cdef double total
        for leaves, arrays, lo, hi in self.pools[i]:
            if self.parts[i].kind._sums_all:
                leaves = range(<Py_ssize_t>self.plan.n_tensors)
            now = () if folded.tune else tuple([(<double *>data(a))[0] for a in arrays])
            if n_sum > 0 and not gauged:
                numbers = () if folded.gauge is None else folded.gauge(t, folded.lr, now)
                for k in range(lo, hi):
                    for j in range(min(<Py_ssize_t>LRC_MAX_GAUGE_COEFS, len(numbers))):
                        self.plan.group[k].gauge_coef[j] = numbers[j]
                continue
            sums = []
            for j in range(n_sum):
                total = 0
                for k in leaves:
                    total += self.gauge_sums[LRC_MAX_SUMS * k + j]
                sums.append(total)
            if self.loss is not None:
                sums.append(self.loss)
            if folded.tune is None:
                carried, numbers, rate = folded.coefs(
                    t, folded.lr, folded.decay, now, tuple(sums)
                )
                self.written += [(array, <double>x) for array, x in zip(arrays, carried)]
            else:
                numbers = folded.coefs(t, folded.lr, folded.decay)
                carried, (keep, before, s) = folded.tune(arrays[0], tuple(sums))
                self.written.append((arrays[0], carried))
                rate = folded.lr * s
            if self.leads[i] and lo == self.first_group[i]:
                self.rates[self.group_of[i]] = rate
            for k in range(lo, hi):
                set_coefs(self.plan.group + k, numbers)
                if folded.tune is not None:
                    self.plan.group[k].mechanic = lrc_mechanic(keep, before, s)
        return 0

    cdef int read_gauges(self, lrc_plan *plan, t) except -1:
        """Set the numbers that are made from what gauges read."""
        cdef Py_ssize_t i
        cdef double *sums = self.gauge_sums
        if sums == NULL:
            return 0
        with nogil:
            lrc_read_gauges(plan, sums + LRC_MAX_SUMS * plan.n_tensors, sums)
        for i in range(len(self.parts)):
            if self.parts[i].gauge and self.leaves_of[i]:
                self.set_pools(i, t, True)
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
            if self.leaf[i].grad != NULL:
                Py_DECREF(<object>self.leaf[i].grad)
                self.leaf[i].grad = NULL
        for i in range(<size_t>len(self.containers)):
            if self.node[i].grads == NULL:
                break
            Py_DECREF(<object>self.node[i].grads)
            self.node[i].grads = NULL

    cdef bint take(self, Py_ssize_t i, grads) except -1:
        """Find, take and hold leaf i's gradient; False where it or its parameter cannot
        be stepped."""
        cdef leaf_t *leaf = self.leaf + i
        cdef PyObject *g = <PyObject *>grads
        if leaf.node >= 0:
            g = child(<object>self.node[leaf.node].grads, self.keys[i], leaf.index)
        return self.takes(i, g)

    cdef bint takes(self, Py_ssize_t i, PyObject *g) except -1:
        cdef leaf_t *leaf = self.leaf + i
        cdef lrc_tensor *t = self.plan.tensor + i
        cdef cnp.ndarray p = <cnp.ndarray>self.params[i]
        cdef uintptr_t start
        if leaf.node >= 0 and child(
            self.containers[leaf.node], self.keys[i], leaf.index
        ) != <PyObject *>p:
            return False
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
            self.apart = False
        Py_INCREF(<object>g)
        leaf.grad = g
        return True

    cdef int check_zeroable(self) except -1:
        """Check that the gradients can be zeroed: writable, and not of each other's
        memory."""
        cdef size_t i
        cdef bint ok = self.apart
        for i in range(self.plan.n_tensors):
            ok = ok and cnp.PyArray_ISWRITEABLE(<cnp.ndarray>self.leaf[i].grad)
        if not ok:
            grads = [<object>self.leaf[i].grad for i in range(self.plan.n_tensors)]
            names = ["grads" + leaf.path for leaf in self.tree.leaves]
            _check.zeroable(names, grads)
            self.apart = True
        return 0

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
