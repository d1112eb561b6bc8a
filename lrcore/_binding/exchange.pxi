# Tensors of another library as arrays, by the C exchange API of DLPack 1.3.

cdef extern from "Python.h":
    void *PyCapsule_GetPointer(object, const char *) except NULL

cdef extern from *:
    """
    #define LRCORE_DLPACK_CPU 1
    #define LRCORE_DLPACK_FLOAT 2
    """
    enum: LRCORE_DLPACK_CPU
    enum: LRCORE_DLPACK_FLOAT

cdef struct foreign_t:  # DLTensor; strides count elements
    void *data
    int32_t device_type
    int32_t device_id
    int32_t ndim
    uint8_t code
    uint8_t bits
    uint16_t lanes
    int64_t *shape
    int64_t *strides
    uint64_t byte_offset

cdef struct exchange_t:  # DLPackExchangeAPI
    uint32_t major
    uint32_t minor
    void *older
    void *allocate
    void *give
    void *take
    int (*view)(PyObject *, foreign_t *) noexcept
    void *stream


cdef class Exchange:
    """Tensors of another library, and the arrays through which they are stepped.

    To look at a tensor takes some 30 ns: no Python code runs, and nothing is copied.

    kind : the type of gradients, which has ``__dlpack_c_exchange_api__``.
    groups : lists of tensors, of this type or a subclass.
    arrays : lists of arrays: for each tensor the one that shares its memory, or None if
        no array does.
    """

    cdef object kind
    cdef exchange_t *api
    cdef list groups, arrays
    cdef readonly list others  # (group, place) of gradients that are no arrays
    cdef readonly bint some_absent  # whether some tensor has no gradient

    def __init__(self, kind, list groups, list arrays):
        capsule = kind.__dlpack_c_exchange_api__
        self.api = <exchange_t *>PyCapsule_GetPointer(capsule, "dlpack_exchange_api")
        if self.api.major != 1 or self.api.view == NULL:
            raise ImportError(
                f"{kind.__module__}: expected version 1 of DLPack's exchange API, "
                f"found {self.api.major}.{self.api.minor}; another version of the "
                "package has it"
            )
        for tensors in groups:
            for tensor in tensors:
                if not isinstance(tensor, kind):  # or the API would misread its memory
                    raise TypeError(
                        f"expected a {kind.__name__}, found {type(tensor).__name__}"
                    )
        self.kind, self.others = kind, []
        self.groups, self.arrays = [], arrays
        for tensors in groups:
            self.groups.append(list(tensors))

    def grads(self, list groups):
        """The ``.grad`` of each tensor, in lists by group: an array of the same memory,
        or None; what cannot be an array is left as it is, and noted in `others`.

        groups : the lists of tensors as they are now.

        Returns None if these are not the tensors of the constructor, or the memory of
        one is no longer that of its array.
        """
        cdef Py_ssize_t i, k
        cdef list own, now, arrays, found, grads = []
        self.others, self.some_absent = [], False
        if len(groups) != len(self.groups):
            return None
        for k in range(len(groups)):
            own, now, arrays, found = self.groups[k], groups[k], self.arrays[k], []
            if len(now) != len(own):
                return None
            for i in range(len(own)):
                tensor = own[i]
                if now[i] is not tensor or not self.is_in_place(tensor, arrays[i]):
                    return None
                grad = tensor.grad
                if grad is None:
                    self.some_absent = True
                else:
                    array = self.array_of(grad)
                    if array is None:
                        self.others.append((k, i))
                    else:
                        grad = array
                found.append(grad)
            grads.append(found)
        return grads

    cdef bint is_in_place(self, tensor, array) except -1:
        """Whether a tensor has the memory of its array."""
        cdef foreign_t now
        if array is None:
            return True
        if self.api.view(<PyObject *>tensor, &now):
            PyErr_Clear()
            return False
        return cnp.PyArray_SIZE(<cnp.ndarray?>array) == 0 or (
            now.data == cnp.PyArray_DATA(<cnp.ndarray>array)
            and now.code == LRCORE_DLPACK_FLOAT
            and now.bits == 8 * cnp.PyArray_ITEMSIZE(<cnp.ndarray>array)
            and has_layout(&now, <cnp.ndarray>array)
        )

    cdef object array_of(self, tensor):
        """An array of a tensor's memory, which holds the tensor; None if no array can
        have it."""
        cdef foreign_t own
        cdef cnp.npy_intp shape[64]
        cdef cnp.npy_intp strides[64]
        cdef int i, number
        cdef bint empty = False
        if type(tensor) is not self.kind:
            return None
        if self.api.view(<PyObject *>tensor, &own):
            PyErr_Clear()  # sparse, or without memory
            return None
        if (
            own.device_type != LRCORE_DLPACK_CPU
            or own.code != LRCORE_DLPACK_FLOAT
            or own.bits not in (32, 64)
            or own.lanes != 1
            or own.ndim > 64
        ):
            return None
        for i in range(own.ndim):
            shape[i] = own.shape[i]
            strides[i] = own.strides[i] * (own.bits // 8)
            empty = empty or shape[i] == 0
        if own.data == NULL and not empty:
            return None
        number = cnp.NPY_FLOAT32 if own.bits == 32 else cnp.NPY_FLOAT64
        array = cnp.PyArray_New(
            cnp.ndarray, own.ndim, shape, number, strides,
            NULL if empty else <char *>own.data + own.byte_offset, 0,
            cnp.NPY_ARRAY_WRITEABLE, None,
        )
        cnp.set_array_base(array, tensor)
        return array


cdef bint has_layout(const foreign_t *tensor, cnp.ndarray array) noexcept:
    """Whether a tensor has an array's shape and strides."""
    cdef int i
    if tensor.ndim != cnp.PyArray_NDIM(array):
        return False
    for i in range(tensor.ndim):
        if tensor.shape[i] != cnp.PyArray_DIM(array, i) or (
            tensor.shape[i] > 1
            and tensor.strides[i] * cnp.PyArray_ITEMSIZE(array)
            != cnp.PyArray_STRIDE(array, i)
        ):
            return False
    return True
