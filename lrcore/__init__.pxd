# For `cimport lrcore`: the functions of lrcore.h, which are those of the extension.
#
# Call import_lrcore() once in each module, before any other of them.

from cpython.pycapsule cimport PyCapsule_Import
from libc.stdint cimport uint64_t

cdef extern from "lrcore_import.h" nogil:
    int lrc_import(const void *table)

    ctypedef struct lrc_plan:
        pass
    ctypedef struct lrc_allocator:
        void *(*resize)(void *, void *, size_t, size_t) noexcept nogil
        void *context
    ctypedef struct lrc_norms:
        double grad
        double clipped
        double param
        double update
        uint64_t nonfinite

    int lrc_version()
    const char *lrc_error_text(int)

    int lrc_rule_count()
    int lrc_rule_id(const char *)
    const char *lrc_rule_name(int)
    int lrc_rule_n_states(int)
    const char *lrc_rule_states(int)
    const char *lrc_rule_coefs(int)
    const char *lrc_rule_hyper(int, int)

    const lrc_allocator *lrc_heap()
    int lrc_plan_create(lrc_plan **, const lrc_allocator *)
    void lrc_plan_destroy(lrc_plan *)
    const char *lrc_plan_error(const lrc_plan *)
    int lrc_plan_add_group(lrc_plan *, int)
    int lrc_plan_add_tensor(
        lrc_plan *, int, int, size_t, void *, void *, void *const *, int
    )
    int lrc_plan_set_gradient(lrc_plan *, int, void *)
    int lrc_plan_set_average(lrc_plan *, int, void *)
    int lrc_plan_set_hyper(lrc_plan *, int, const char *, double)
    int lrc_plan_get_hyper(lrc_plan *, int, const char *, double *)
    int lrc_plan_set_coef(lrc_plan *, int, const char *, double)
    int lrc_plan_get_coef(lrc_plan *, int, const char *, double *)
    int lrc_plan_set_option(lrc_plan *, const char *, double)
    int lrc_plan_get_option(lrc_plan *, const char *, double *)
    int lrc_plan_set_steps(lrc_plan *, uint64_t)
    uint64_t lrc_plan_steps(const lrc_plan *)
    int lrc_plan_prepare(lrc_plan *)
    int lrc_plan_step(lrc_plan *)
    int lrc_plan_measure(lrc_plan *)
    int lrc_plan_norms(lrc_plan *, int, lrc_norms *)

include "_process.pxi"


cdef inline int import_lrcore() except -1:
    """Find the functions.

    Raises ImportError if lrcore is not installed, or is not compatible with the version
    that the module was compiled with.
    """
    cdef const void *table = PyCapsule_Import("lrcore._core._C_API", 0)
    if lrc_import(table) < 0:
        raise ImportError(
            f"this module was compiled with lrcore {LRC_VERSION // 10000}."
            f"{LRC_VERSION // 100 % 100}.{LRC_VERSION % 100}, with which the installed "
            "lrcore is not compatible: compile it again"
        )
    return 0
