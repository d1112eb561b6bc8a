# Stretches in which no Python code runs, so that other threads see nothing half done:
#
#     cdef bint was_on = PyGC_Disable()
#     try:
#         ...
#     finally:
#         if was_on:
#             PyGC_Enable()
#
# The garbage collector runs finalizers where memory for a list or tuple is asked for;
# what a finalizer runs may let another thread go on.

cdef extern from "Python.h":
    bint PyGC_Disable()
    bint PyGC_Enable()
