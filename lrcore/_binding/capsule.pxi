# The functions of lrcore.h for other extensions: see src_c/lrcore_import.h.

from cpython.pycapsule cimport PyCapsule_New

cdef extern from *:
    """
    #include "lrcore_functions.h"
    static const lrc_functions lrc_own_functions = {
        LRC_VERSION,
        sizeof(lrc_functions),
    #define LRC_FUNCTION(type, name, parameters, arguments) name,
    #define LRC_PROCEDURE(name, parameters, arguments) name,
    #include "lrcore_functions.def"
    #undef LRC_FUNCTION
    #undef LRC_PROCEDURE
    };
    """
    ctypedef struct lrc_functions:
        pass
    const lrc_functions lrc_own_functions

_C_API = PyCapsule_New(<void *>&lrc_own_functions, "lrcore._core._C_API", NULL)
