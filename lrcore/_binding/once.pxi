# Functions that make a plan for one call, on arrays that the caller owns.


def apply(part, p, g, tuple arrays, t, int num_threads, bint keep_subnormals):
    """Take step t, counted from 1, of one tensor.

    part: as in a Plan, with `folded` set.  arrays: states, in kernel_names()'s order.
    """
    cdef lrc_plan plan
    cdef lrc_tensor tensor
    cdef lrc_group group
    cdef double little[256]  # enough for small tensors, without an allocation
    cdef size_t size
    check_arguments(part, p, g, arrays)
    memset(&plan, 0, sizeof(plan))
    memset(&tensor, 0, sizeof(tensor))
    memset(&group, 0, sizeof(group))
    names, _ = kernel_names(part)
    set_tensor(&tensor, p, names_of(part), dict(zip(names, arrays)))
    tensor.g = cnp.PyArray_DATA(<cnp.ndarray>g)
    set_group(&group, part)
    set_numbers(&group, part.folded, t)
    set_coefs(&group, part.folded.coefs(t, part.folded.lr, part.folded.decay))
    plan.tensor, plan.n_tensors = &tensor, 1
    plan.group, plan.n_groups = &group, 1
    plan.num_threads, plan.keep_subnormals = num_threads, keep_subnormals
    size = lrc_plan_tensors(&plan)
    plan.work = little if size <= sizeof(little) else allocate(size, 1)
    with nogil:
        lrc_step(&plan)
    if plan.work != <void *>little:
        PyMem_Free(plan.work)


cdef tuple kernel_names(part):
    """The names of a kernel's arrays, and how many of the first have p's shape."""
    scale = SCALES[part.scale]
    scratch = (SCRATCH,) if scale.emits else ()
    names = RULES[part.rule].states + part.averages + scratch
    return names + scale.states, len(names)


cdef int check_arguments(part, p, g, tuple arrays) except -1:
    cdef Py_ssize_t i, alike
    cdef int flags = layout(p) if plain(p) else 0
    names, alike = kernel_names(part)
    cdef bint ok = (
        flags != 0
        and cnp.PyArray_TYPE(p) in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64)
        and fits(p, p, flags | cnp.NPY_ARRAY_WRITEABLE)
        and fits(g, p, flags)
        and len(arrays) == len(names)
    )
    if ok:
        for i in range(len(arrays)):
            if i < alike:
                ok = ok and fits(arrays[i], p, flags | cnp.NPY_ARRAY_WRITEABLE)
            else:
                ok = ok and fits(
                    arrays[i], SCALAR, layout(SCALAR) | cnp.NPY_ARRAY_WRITEABLE
                )
    if not (ok and disjoint((p, g) + arrays)):
        refusals.kernel_arguments(p, g, names, arrays, alike)
    return 0


def clip(
    list arrays, *, bint write, double clip_value=0, double clip_norm=0, double eps=0
):
    """Clip arrays in place, or only measure them (write=False).

    containers.gradients() has passed them.

    Returns their global norm before clipping; 0 if they are clipped by value.
    """
    cdef lrc_plan plan
    cdef lrc_group group
    cdef Py_ssize_t i
    cdef size_t n = len(arrays)
    cdef lrc_squares total
    memset(&plan, 0, sizeof(plan))
    memset(&group, 0, sizeof(group))
    memset(&total, 0, sizeof(total))
    try:
        plan.tensor, plan.n_tensors = <lrc_tensor *>allocate(n, sizeof(lrc_tensor)), n
        plan.group, plan.n_groups = &group, 1
        if clip_value == 0:  # clipping by value needs no norm
            plan.report = <lrc_report *>allocate(n, sizeof(lrc_report))
        plan.clip_norm, plan.clip_eps = clip_norm, eps
        plan.keep_subnormals = True
        group.coef[0], group.clip_value = 1, clip_value
        for i in range(<Py_ssize_t>n):
            array = <cnp.ndarray>arrays[i]
            plan.tensor[i].g = cnp.PyArray_DATA(array)
            plan.tensor[i].n = <size_t>cnp.PyArray_SIZE(array)
            plan.tensor[i].dtype = dtype_of(array)
        plan.work = allocate(lrc_plan_tensors(&plan), 1)
        with nogil:
            if write:
                lrc_clip(&plan)
            else:
                lrc_measure(&plan)
        for i in range(<Py_ssize_t>n if plan.report != NULL else 0):
            lrc_add_squares(&total, &plan.report[i].g)
        return lrc_norm(&total)
    finally:
        PyMem_Free(plan.tensor)
        PyMem_Free(plan.report)
        PyMem_Free(plan.work)


def traffic(cnp.ndarray g, list arrays, int num_threads=0):
    """Call lrc_traffic() on contiguous arrays of the same size, taken as floats."""
    cdef float *pointer[5]
    cdef size_t n = <size_t>cnp.PyArray_NBYTES(g) // sizeof(float)
    cdef int i, n_arrays = len(arrays)
    if not 1 <= n_arrays <= 5:
        raise ValueError(f"arrays: expected 1 to 5, found {n_arrays}")
    for i in range(n_arrays):
        if <size_t>cnp.PyArray_NBYTES(<cnp.ndarray?>arrays[i]) != n * sizeof(float):
            raise ValueError(f"arrays[{i}]: expected {n * sizeof(float)} bytes")
        pointer[i] = <float *>data(arrays[i])
    cdef const float *read = <const float *>cnp.PyArray_DATA(g)
    with nogil:
        lrc_traffic(read, pointer, n_arrays, n, num_threads)
