# What lrcore.h has of a whole process, and its constants: for the binding, and for
# `cimport lrcore`.

cdef extern from "lrcore.h" nogil:
    enum:
        LRC_VERSION
        LRC_OK
        LRC_SKIPPED
        LRC_TAKEN
        LRC_REFUSED
        LRC_BAD_ARGUMENT
        LRC_NO_MEMORY
        LRC_ALL

    ctypedef enum lrc_dtype:
        LRC_F32
        LRC_F64

    size_t lrc_isa_count()
    const char *lrc_isa_name(size_t)
    int lrc_isa_runs(size_t)
    const char *lrc_isa()
    int lrc_set_isa(const char *)
    size_t lrc_threading_count()
    const char *lrc_threading_name(size_t)
    const char *lrc_threading()
    int lrc_set_threading(const char *)
    int lrc_threads_refused()
    int lrc_num_threads()
    void lrc_set_num_threads(int)
    int lrc_num_threads_set()
    void lrc_limit_threads(int)
    int lrc_has_openmp()
