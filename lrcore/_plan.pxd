# The structs and functions of src_c/plan.h, which the binding (_core.pyx) fills and
# calls.  `lrc_plan` is opaque in lrcore/__init__.pxd, and has its fields here.

include "_process.pxi"

cdef extern from "plan.h" nogil:
    enum:
        LRC_CHANGES
        LRC_STRIP
        LRC_MAX_STATES
        LRC_MAX_COEFS
        LRC_RULE_COEFS
        LRC_MAX_AVERAGES
        LRC_MAX_SCALE_COEFS
        LRC_MAX_GAUGED
        LRC_MAX_SUMS
        LRC_MAX_GAUGE_COEFS
        LRC_MAX_FACTOR_COEFS
        LRC_PARALLEL_FROM

    ctypedef enum lrc_rule:
        LRC_N_RULES
    ctypedef enum lrc_scale:
        LRC_NO_SCALE
        LRC_N_SCALES
    ctypedef enum lrc_gauge:
        LRC_NO_GAUGE
        LRC_N_GAUGES
    ctypedef enum lrc_factoring:
        LRC_UNFACTORED
        LRC_PRODUCT
        LRC_LEAST
    ctypedef enum lrc_ask:
        LRC_ASK_GAUGED
        LRC_ASK_DIRECTED

    ctypedef struct lrc_rule_info:
        const char *name
        int n_state
        const char *states
        const char *coefs
    ctypedef struct lrc_scale_info:
        const char *name
        int emits
        int n_state
        const char *states
        const char *coefs
    ctypedef struct lrc_gauge_info:
        const char *name
        int n_array
        const char *arrays
        int n_sum
        const char *coefs
    const lrc_rule_info lrc_rules[]
    const lrc_scale_info lrc_scales[]
    const lrc_gauge_info lrc_gauges[]

    ctypedef struct lrc_side:
        void *x
        size_t n
    ctypedef struct lrc_factors:
        const lrc_side *side
        size_t n_sides
    ctypedef struct lrc_units:
        size_t outer
        size_t reduced
        size_t inner
    ctypedef struct lrc_tensor:
        void *p
        void *g
        void *acc
        void *s[LRC_MAX_STATES]
        void *a[LRC_MAX_AVERAGES]
        void *u
        void *mechanic_delta
        void *mechanic_p0
        double *scale_state
        const void *gauged[LRC_MAX_GAUGED]
        lrc_factors factors
        lrc_units units
        size_t n
        size_t before
        size_t after
        lrc_dtype dtype
        unsigned int group
        size_t first
        size_t first_strip
        size_t first_unit
        size_t first_factor
        size_t grain
    ctypedef struct lrc_average:
        double weight
        int pulls
    ctypedef struct lrc_mechanic:
        double keep
        double before
        double now
    ctypedef struct lrc_group:
        lrc_rule rule
        double coef[LRC_MAX_COEFS]
        lrc_scale scale
        double scale_coef[LRC_MAX_SCALE_COEFS]
        lrc_gauge gauge
        double gauge_coef[LRC_MAX_GAUGE_COEFS]
        lrc_factoring factoring
        double factor_coef[LRC_MAX_FACTOR_COEFS]
        int directed
        double clip_value
        double clip_norm
        double agc
        double agc_eps
        lrc_mechanic mechanic
        lrc_average average[LRC_MAX_AVERAGES]
    ctypedef struct lrc_squares:
        double mid
        double small
        double large
    ctypedef struct lrc_report:
        lrc_squares g
        lrc_squares clipped
        lrc_squares p
        lrc_squares u
        size_t nonfinite
    ctypedef struct lrc_merged:
        char *entry
        size_t size
        int of_units
    ctypedef struct lrc_plan:
        lrc_tensor *tensor
        size_t n_tensors
        size_t total
        size_t n_strips
        lrc_group *group
        size_t n_groups
        void *work
        lrc_report *report
        double *gauge_sums
        int (*ask)(void *, lrc_plan *, lrc_ask) noexcept nogil
        void *caller
        int (*merge)(void *, lrc_plan *, const lrc_merged *) noexcept nogil
        void *merger
        double grad_scale
        double clip_norm
        double clip_eps
        int skip_nonfinite
        int zero_grads
        int gathered
        int averages_later
        int num_threads
        int keep_subnormals
        size_t parallel_from

    ctypedef struct lrc_block:
        void *to
        const void *of
        size_t n
        size_t first

    void lrc_add_squares(lrc_squares *, const lrc_squares *)
    double lrc_norm(const lrc_squares *)
    size_t lrc_own(const lrc_tensor *)
    size_t lrc_plan_tensors(lrc_plan *)
    int lrc_step(lrc_plan *)
    int lrc_measure(lrc_plan *)
    int lrc_clip(lrc_plan *)
    int lrc_gather(lrc_plan *, int)
    int lrc_update_averages(lrc_plan *)
    int lrc_zero_arrays(lrc_plan *)
    void lrc_sum_changes(
        const lrc_tensor *, const void *, double, void *, void *, double *
    )
    void lrc_copy(lrc_block *, size_t, int)
    void lrc_traffic(const float *, float *const *, int, size_t, int)

cdef extern from "split.h" nogil:
    size_t lrc_strips(size_t)
