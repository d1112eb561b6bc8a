# The memory of many arrays: whether two of them overlap.

cdef struct span_t:  # an array's elements lie between these addresses, [start, end)
    uintptr_t start
    uintptr_t end


cdef span_t span_of(cnp.ndarray a) noexcept:
    """The span of an array with any strides; start == end if it has no element."""
    cdef span_t span
    cdef cnp.npy_intp reach
    cdef int i
    span.start = span.end = <uintptr_t>cnp.PyArray_DATA(a)
    if cnp.PyArray_SIZE(a) == 0:
        return span
    for i in range(cnp.PyArray_NDIM(a)):
        reach = (cnp.PyArray_DIM(a, i) - 1) * cnp.PyArray_STRIDE(a, i)
        if reach < 0:
            span.start -= <uintptr_t>-reach
        else:
            span.end += <uintptr_t>reach
    span.end += <uintptr_t>cnp.PyArray_ITEMSIZE(a)
    return span


def extent(cnp.ndarray a not None):
    """The addresses [start, end) between which an array has its elements."""
    cdef span_t span = span_of(a)
    return span.start, span.end


overlaps.Binding.extent = extent


cdef int by_start(const void *one, const void *other) noexcept nogil:
    """Compare two spans by their start, for qsort()."""
    cdef uintptr_t a = (<const span_t *>one).start, b = (<const span_t *>other).start
    return (a > b) - (a < b)


cdef class Spans:
    """The spans of some arrays, in the order of their addresses."""

    cdef span_t *span
    cdef Py_ssize_t n

    def __cinit__(self, list arrays):
        cdef span_t span
        self.span = <span_t *>allocate(len(arrays), sizeof(span_t))
        for array in arrays:
            span = span_of(<cnp.ndarray?>array)
            if span.start != span.end:
                self.span[self.n] = span
                self.n += 1
        qsort(self.span, self.n, sizeof(span_t), by_start)

    def __dealloc__(self):
        PyMem_Free(self.span)

    cdef bint are_disjoint(self) noexcept:
        """Whether no two spans overlap."""
        cdef Py_ssize_t i
        for i in range(1, self.n):
            if self.span[i].start < self.span[i - 1].end:
                return False
        return True

    cdef bint meet(self, uintptr_t start, size_t size) noexcept:
        """Whether these bytes overlap a span, if no two spans overlap each other."""
        if size == 0:
            return False
        cdef Py_ssize_t lo = 0, hi = self.n, mid
        while lo < hi:  # the first span that ends after `start`
            mid = (lo + hi) // 2
            if self.span[mid].end <= start:
                lo = mid + 1
            else:
                hi = mid
        return lo < self.n and self.span[lo].start < start + size


def updatable(list arrays):
    """Whether kernels can update each of these arrays, and no two of them overlap."""
    for array in arrays:
        if not (
            plain(array)
            and is_real(<cnp.ndarray>array)
            and cnp.PyArray_ISWRITEABLE(<cnp.ndarray>array)
        ):
            return False
    return Spans(arrays).are_disjoint()
