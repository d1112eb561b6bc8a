# Memory for small states.

cdef enum:
    LINE = 64  # bytes of a line of the cache


def small_states(cnp.ndarray p not None, list wanted):
    """New arrays of p's dtype, shape and memory order, by name, in one allocation.

    Each is on lines of the cache of its own, and is a view.

    wanted : the name of each array, and the number that it is filled with; "p": it is a
        copy of p, which is real.
    """
    cdef cnp.npy_intp size = cnp.PyArray_NBYTES(p)
    cdef cnp.npy_intp step = (size + LINE - 1) // LINE * LINE
    cdef cnp.npy_intp room = step * len(wanted) + LINE - 1
    cdef int kind = cnp.PyArray_TYPE(p), flags = layout(p) | cnp.NPY_ARRAY_WRITEABLE
    cdef cnp.ndarray array, raw = cnp.PyArray_EMPTY(1, &room, cnp.NPY_UINT8, 0)
    cdef char *begin = cnp.PyArray_BYTES(raw)
    cdef dict states = {}
    begin += -<uintptr_t>begin % LINE
    for name, value in wanted:
        array = cnp.PyArray_New(
            np.ndarray, cnp.PyArray_NDIM(p), cnp.PyArray_DIMS(p), kind, NULL, begin, 0,
            flags, None,
        )
        cnp.set_array_base(array, raw)
        if value == "p":
            memcpy(begin, cnp.PyArray_BYTES(p), <size_t>size)
        elif value == 0:
            memset(begin, 0, <size_t>size)
        else:
            cnp.PyArray_FillWithScalar(array, value)
        states[name] = array
        begin += step
    return states
