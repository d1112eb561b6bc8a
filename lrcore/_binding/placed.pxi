# New arrays, first written by the threads that step them.


cdef class Placed:
    """The large arrays of a plan that nothing has written yet.

    The system gives memory to an array page by page, when it is first written, from the
    memory that is near to the thread that writes.  So each thread writes what will be
    its share in a step.
    """

    cdef lrc_plan *plan
    cdef list fresh  # pairs of an array and its initial values: a number or an array

    cdef int write(self, int num_threads) except -1:
        """Write the initial values, in at most so many threads (0: the default)."""
        cdef set left = set(), found
        for array, _ in self.fresh:
            left.add(address(array))
        found = self.zero(left, num_threads)
        for array, value in self.fresh:
            if address(array) not in found or isinstance(value, np.ndarray) or value:
                array[...] = value
        self.fresh = []
        return 0

    cdef set zero(self, set addresses, int num_threads):
        """Zero the plan's arrays that begin at these addresses; return those found."""
        cdef lrc_plan plan = self.plan[0]
        cdef set found = set()
        cdef size_t i
        cdef int k
        cdef lrc_tensor *t
        if not addresses:
            return found
        plan.num_threads = num_threads
        plan.tensor = <lrc_tensor *>allocate(plan.n_tensors, sizeof(lrc_tensor))
        try:
            for i in range(plan.n_tensors):
                t = plan.tensor + i
                t[0] = self.plan.tensor[i]
                choose(&t.acc, addresses, found)
                choose(&t.u, addresses, found)
                choose(&t.mechanic_delta, addresses, found)
                choose(&t.mechanic_p0, addresses, found)
                for k in range(LRC_MAX_STATES):
                    choose(&t.s[k], addresses, found)
                for k in range(LRC_MAX_AVERAGES):
                    choose(&t.a[k], addresses, found)
            with nogil:
                lrc_zero_arrays(&plan)
        finally:
            PyMem_Free(plan.tensor)
        return found


cdef int choose(void **array, set addresses, set found) except -1:
    """Keep an array whose address is among these; otherwise make it NULL."""
    cdef object at = <uintptr_t>array[0]
    if at in addresses:
        found.add(at)
    else:
        array[0] = NULL
    return 0
