# Commits: changes that are made together, all of them or none.

cdef object MISSING = object()


cdef class Commit:
    """Changes that are collected, and made by one call.

    ::

        commit = Commit(lock)
        commit.copy(to, array)              # to[...] = array
        commit.exchange(a, b)               # a[...], b[...] = b, a
        commit.set(obj, "name", value)      # obj.name = value
        commit.call(function, new, old)     # function(new)
        commit.make()

    `make` checks everything before it changes anything.  While it changes arrays and
    plain attributes no Python code runs, so no handler of a signal, no other thread and
    no failed allocation can stop it half way.  An attribute whose class runs Python
    code to set it, or a function, may raise an error: what was set before it is set
    back.

    lock : the Lock of an optimizer; None: what changes belongs to none.
    unchanged : whether `make` refuses if the optimizer has been stepped or changed
        since this Commit was made, for changes that are made from what the optimizer
        has now.
    """

    cdef Lock lock
    cdef bint unchanged
    cdef unsigned long long seen
    cdef list arrays  # (array, array, whether they are exchanged)
    cdef list writes  # (object, name, value); of a call: (function, None, argument)
    cdef list kept  # (object, name, value)
    cdef list old  # by place in `writes`: the value or argument that sets it back
    cdef Plan plan  # the one that gets `settings` and `counts`
    cdef Settings settings
    cdef Counts counts

    def __init__(self, Lock lock=None, bint unchanged=False):
        self.lock, self.unchanged = lock, unchanged
        self.seen = lock.changes if lock is not None else 0
        self.arrays, self.writes, self.old, self.kept = [], [], [], []

    def copy(self, cnp.ndarray to not None, cnp.ndarray of not None):
        """Give an array the elements of another one of its dtype and shape, which is
        in C order, or contiguous in the order of the first.

        An array that overlaps another one of the commit must be copied before.
        """
        self.arrays.append((to, of, False))

    def exchange(self, cnp.ndarray one not None, cnp.ndarray other not None):
        """Exchange the elements of two contiguous arrays of the same order."""
        self.arrays.append((one, other, True))

    def set(self, obj, str name, value):
        """Set an attribute."""
        self.writes.append((obj, name, value))
        self.old.append(MISSING)

    def call(self, function, new, old):
        """Call a function, a builtin one, as no Python code is to run; function(old)
        if a later change fails."""
        self.writes.append((function, None, new))
        self.old.append(old)

    def keep(self, obj, str name):
        """Let `make` refuse if the attribute is another object by then: what is set is
        made from this one."""
        self.kept.append((obj, name, getattr(obj, name)))

    def give(self, Plan plan not None, Settings settings=None, Counts counts=None):
        """Give a plan, at most one in a commit, options or counts, or both."""
        self.plan = plan
        self.settings = self.settings if settings is None else settings
        self.counts = self.counts if counts is None else counts

    def make(self):
        """Make the changes.

        Raises
        ------
        RuntimeError
            The optimizer is in use, or another thread has changed it.
        ValueError
            Arrays do not fit each other, or one cannot be written.
        """
        self.check()
        self.write()
        # From here on nothing fails.
        if self.settings is not None:
            self.settings.give(self.plan)
        if self.counts is not None:
            self.counts.give(self.plan)
        self.move()
        if self.lock is not None:
            self.lock.changes += 1

    cdef int check(self) except -1:
        cdef bint restores = self.counts is not None and self.lock.torn
        for one, other, exchanges in self.arrays:
            if not (can_take(one, other) and (not exchanges or can_take(other, one))):
                raise ValueError(
                    "commit: expected arrays of the same dtype, shape and memory "
                    "order, without objects, that can be written"
                )
        if self.lock is not None and not restores:
            self.lock.check()
        changed = self.unchanged and self.lock.changes != self.seen
        for obj, name, value in self.kept:
            changed = changed or getattr(obj, name) is not value
        if changed:
            raise RuntimeError(
                "another thread has changed this optimizer meanwhile; nothing is "
                "changed by this call: repeat it, or let one thread work on it at a "
                "time (threading.Lock)"
            )
        return 0

    cdef int write(self) except -1:
        """Set the attributes and call the functions, all or none."""
        cdef Py_ssize_t i, n = 0
        try:
            for i in range(len(self.writes)):
                obj, name, value = self.writes[i]
                if name is not None:
                    self.old[i] = getattr(obj, name, MISSING)
                write_one(obj, name, value)
                n = i + 1
        except BaseException:
            for i in reversed(range(n)):  # one may have been set twice
                obj, name, _ = self.writes[i]
                write_one(obj, name, self.old[i])
            raise
        return 0

    cdef void move(self) noexcept:
        """Copy and exchange the arrays."""
        cdef size_t size
        for one, other, exchanges in self.arrays:
            size = <size_t>cnp.PyArray_NBYTES(<cnp.ndarray>one)
            a = cnp.PyArray_BYTES(<cnp.ndarray>one)
            b = cnp.PyArray_BYTES(<cnp.ndarray>other)
            if exchanges:
                exchange_bytes(a, b, size)
            elif are_alike(one, other):
                memcpy(a, b, size)
            else:
                scatter(
                    a, cnp.PyArray_DIMS(<cnp.ndarray>one),
                    cnp.PyArray_STRIDES(<cnp.ndarray>one),
                    cnp.PyArray_NDIM(<cnp.ndarray>one),
                    <size_t>cnp.PyArray_ITEMSIZE(<cnp.ndarray>one), b,
                )

    cdef bint put_back(self) noexcept:
        """Exchange the arrays again, which needs no memory; False if one has another
        size now, and is left."""
        cdef bint whole = True
        for one, other, _ in self.arrays:
            size = cnp.PyArray_NBYTES(<cnp.ndarray>one)
            if size != cnp.PyArray_NBYTES(<cnp.ndarray>other):
                whole = False
                continue
            a = cnp.PyArray_BYTES(<cnp.ndarray>one)
            b = cnp.PyArray_BYTES(<cnp.ndarray>other)
            exchange_bytes(a, b, <size_t>size)
        return whole


cdef int write_one(obj, name, value) except -1:
    """Set or delete an attribute, or call a function."""
    if name is None:
        obj(value)
    elif value is MISSING:
        delattr(obj, name)
    else:
        setattr(obj, name, value)
    return 0


cdef bint can_take(cnp.ndarray to, cnp.ndarray of) except -1:
    """Whether an array can be written with the bytes of another."""
    return (
        plain(to)
        and plain(of)
        and cnp.PyArray_ISWRITEABLE(to)
        and not to.dtype.hasobject
        and cnp.PyArray_EquivArrTypes(to, of)
        and cnp.PyArray_SAMESHAPE(to, of)
        and (are_alike(to, of) or cnp.PyArray_IS_C_CONTIGUOUS(of))
    )


cdef bint are_alike(cnp.ndarray one, cnp.ndarray other) noexcept:
    """Whether two arrays are contiguous in the same order."""
    if cnp.PyArray_IS_C_CONTIGUOUS(one) and cnp.PyArray_IS_C_CONTIGUOUS(other):
        return True
    return cnp.PyArray_IS_F_CONTIGUOUS(one) and cnp.PyArray_IS_F_CONTIGUOUS(other)


cdef const char *scatter(
    char *to, cnp.npy_intp *shape, cnp.npy_intp *strides, int ndim, size_t itemsize,
    const char *of,
) noexcept:
    """Fill an array with any strides with elements in C order; return their end."""
    cdef cnp.npy_intp i
    if ndim == 0:
        memcpy(to, of, itemsize)
        return of + itemsize
    for i in range(shape[0]):
        of = scatter(
            to + i * strides[0], shape + 1, strides + 1, ndim - 1, itemsize, of
        )
    return of


cdef object copy_of(cnp.ndarray array):
    """A copy of a contiguous array, in the same memory order.

    NumPy would let other threads go on while it copies a large one.
    """
    cdef bint turned = not cnp.PyArray_IS_C_CONTIGUOUS(array)
    cdef cnp.ndarray copy = cnp.PyArray_EMPTY(
        cnp.PyArray_NDIM(array), cnp.PyArray_DIMS(array), cnp.PyArray_TYPE(array),
        turned,
    )
    cdef size_t size = <size_t>cnp.PyArray_NBYTES(array)
    memcpy(cnp.PyArray_BYTES(copy), cnp.PyArray_BYTES(array), size)
    return copy


cdef void exchange_bytes(char *a, char *b, size_t size) noexcept:
    cdef char held[4096]
    cdef size_t n
    while size > 0:
        n = min(size, sizeof(held))
        memcpy(held, a, n)
        memcpy(a, b, n)
        memcpy(b, held, n)
        a, b, size = a + n, b + n, size - n
