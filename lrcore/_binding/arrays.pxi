# Checks of one array, in a few nanoseconds: whether a kernel can work on it.

SCALAR = np.zeros(())


# Lists are made by loops that append: where memory fails in a comprehension, Cython
# 3.3.1 drops a reference twice, and freed memory is read.
cdef list each(items, str name):
    """The attribute of this name of each item."""
    cdef list found = []
    for item in items:
        found.append(getattr(item, name))
    return found


def address(cnp.ndarray a not None):
    """The address of an array's first element."""
    return <uintptr_t>cnp.PyArray_DATA(a)


cdef int layout(cnp.ndarray a) noexcept:
    """The flags of a's layout (C or Fortran order); 0 if no kernel can read it."""
    if cnp.PyArray_CHKFLAGS(a, cnp.NPY_ARRAY_C_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED):
        return cnp.NPY_ARRAY_C_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED
    if cnp.PyArray_CHKFLAGS(a, cnp.NPY_ARRAY_F_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED):
        return cnp.NPY_ARRAY_F_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED
    return 0


cdef bint is_real(cnp.ndarray a) noexcept:
    """Whether a kernel can read it as an array of float32 or float64."""
    return (
        cnp.PyArray_TYPE(a) in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64)
        and not cnp.PyArray_ISBYTESWAPPED(a)
        and layout(a) != 0
    )


cdef bint plain(obj):
    """Whether it is an array without a mask, whose buffer holds all of its data."""
    # np.ma takes a tenth of a second to import: only subclasses need it.
    return cnp.PyArray_CheckExact(obj) or (
        cnp.PyArray_Check(obj) and not isinstance(obj, np.ma.MaskedArray)
    )


cdef bint fits(obj, cnp.ndarray p, int flags):
    """Whether it is an array of p's type and shape, with these flags."""
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


cdef void *data(array) except? NULL:
    return cnp.PyArray_DATA(<cnp.ndarray?>array)


cdef void zero(
    char *a, cnp.npy_intp *shape, cnp.npy_intp *strides, int ndim, size_t itemsize
) noexcept:
    """Zero an array of numbers with any strides."""
    cdef cnp.npy_intp i
    if ndim == 0:
        memset(a, 0, itemsize)
        return
    for i in range(shape[0]):
        zero(a + i * strides[0], shape + 1, strides + 1, ndim - 1, itemsize)


cdef void multiply(cnp.ndarray array, double factor) noexcept:
    """Multiply a contiguous array, rounding the factor to its dtype as NumPy does."""
    cdef Py_ssize_t i, n = cnp.PyArray_SIZE(array)
    cdef float *x = <float *>cnp.PyArray_DATA(array)
    cdef double *y = <double *>cnp.PyArray_DATA(array)
    if dtype_of(array) == LRC_F32:
        for i in range(n):
            x[i] *= <float>factor
    else:
        for i in range(n):
            y[i] *= factor


cdef lrc_dtype dtype_of(cnp.ndarray a) noexcept:
    return LRC_F32 if cnp.PyArray_TYPE(a) == cnp.NPY_FLOAT32 else LRC_F64


cdef void *allocate(size_t n, size_t size) except NULL:
    cdef void *memory = PyMem_Calloc(n if n else 1, size)
    if memory == NULL:
        raise MemoryError
    return memory
