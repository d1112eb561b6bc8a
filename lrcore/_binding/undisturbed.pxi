# Stretches in which no Python code runs, so that other threads see nothing half done.

cdef extern from "Python.h":
    int PyGC_Disable()
    int PyGC_Enable()


cdef class Undisturbed:
    """A block without the garbage collector, which runs finalizers where memory for a
    list or tuple is asked for; what a finalizer runs may let another thread go on."""

    cdef bint was_on

    def __enter__(self):
        self.was_on = PyGC_Disable()

    def __exit__(self, *error):
        if self.was_on:
            PyGC_Enable()
