# The C interface, which src_c/lrcore.h describes: for `cimport lrcore`.

from libc.stdint cimport uint64_t

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
