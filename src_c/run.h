/* run.h: a step under way, which is a list of passes.
 *
 * In a pass several threads work on chunks of the tensors; when all chunks are done,
 * the caller's thread makes numbers from the results.  A run holds these results; its
 * arrays lie in the plan's `work`. */

#ifndef LRC_RUN_H
#define LRC_RUN_H

#include "kernels.h"
#include "portable.h"
#include "split.h"
#include "squares.h"

/* Intermediate values of a strip, which stay in the cache. */
typedef union {
    float f32[LRC_STRIP];
    double f64[LRC_STRIP];
} lrc_scratch;

/* A group's numbers in this step. */
typedef struct {
    lrc_scaled factor;         /* grad_scale times the clip factors over before_clip */
    double f64[LRC_MAX_COEFS]; /* coefficients, changed by clipping and scales */
    float f32[LRC_MAX_COEFS];  /* the same, rounded */
    lrc_kernel *kernel[LRC_N_DTYPES];
    double before_clip; /* multiplies gradients before they are clipped by value */
    /* Multiply gradients before the kernel.  Usually 1; otherwise the part of `factor`
     * that coef[0] cannot hold or, for a factored or directed group, all of it. */
    double before_kernel[2];
    int bare; /* whether a step calls the kernel and nothing else */
} lrc_numbers;

/* Sums of squares that were measured in a strip. */
typedef struct {
    lrc_squares g;    /* of the gradient */
    lrc_squares x;    /* of the gradient clipped by value, or of the scale's input */
    lrc_squares p;    /* of p */
    lrc_squares u;    /* of the change of p */
    size_t nonfinite; /* elements of the gradient that are not finite */
} lrc_measured;

/* A unit of adaptive clipping. */
typedef struct {
    lrc_scaled g, p; /* norms */
} lrc_unit;

typedef struct lrc_pass lrc_pass;

typedef struct {
    lrc_plan *plan;
    const lrc_pass *const *passes;
    const lrc_pass *pass;  /* the one under way */
    int threads;           /* of each pass */
    int pieces, backwards; /* of the pass: pieces of a chunk; whether it goes back */
    const lrc_table *const *table; /* by dtype */
    lrc_numbers *numbers;          /* one for each group */
    lrc_measured *strip;           /* one for each strip */
    double *gauge;                 /* LRC_MAX_SUMS for each strip */
    lrc_unit *unit;                /* one for each unit */
    double *factor;                /* lrc_factor_work() for each tensor */
    double *unit_factor[2]; /* two factors for each unit, in the tensor's dtype, */
    int units_halved;       /* and whether the second is used */
    unsigned asked;         /* the passes to run: a set of LRC_MEASURES and so on */
    int first;              /* the argument of lrc_gather() */
    int result;             /* LRC_TAKEN, unless a pass has changed it */
    fp_mode caller;         /* floating-point mode of the thread that called */
} lrc_run;

/* What a plan may ask for.  A pass runs if its bit is set. */
enum {
    LRC_ALWAYS = 1,
    LRC_MEASURES = 2,
    LRC_CHECKS = 4,
    LRC_GAUGES = 8,
    LRC_FACTORS = 16,
    LRC_DIRECTS = 32,
    LRC_SCALES = 64,
    LRC_REPORTS = 128,
    LRC_ZEROES = 256,
    LRC_UNITS = 512,
    LRC_PRODUCTS = 1024,
    LRC_FOLDS = 2048
};

struct lrc_pass {
    /* The pass runs if this bit is asked for and the run's result is this so far:
     * LRC_TAKEN, or LRC_SKIPPED for the pass that zeroes the gradients of a skipped
     * step. */
    unsigned asked;
    int result;
    void (*work)(lrc_run *run,
                 const lrc_chunk *chunk); /* in several threads; or NULL */
    void (*meet)(lrc_run *run);           /* then in the caller's thread; or NULL */
    int by_units; /* whether chunks have units of all tensors: few are best then */
    int merges;   /* what several processes share after the work; 0: nothing */
};

/* Arrays of a run, by what they have an entry for. */
enum { LRC_MERGES_STRIPS = 1, LRC_MERGES_SUMS, LRC_MERGES_UNITS };

/* The passes of a step, in order: see step.c. */
extern const lrc_pass lrc_fold_pass, lrc_numbers_pass, lrc_units_pass, lrc_measure_pass,
    lrc_check_pass, lrc_gauge_pass, lrc_read_pass, lrc_make_pass, lrc_direct_pass,
    lrc_scale_pass, lrc_step_pass, lrc_keep_pass, lrc_report_pass, lrc_zero_pass;
/* Passes of lrc_clip(), lrc_gather(), lrc_update_averages() and lrc_zero_arrays(). */
extern const lrc_pass lrc_clip_pass, lrc_gather_pass, lrc_average_pass, lrc_place_pass;

/* --- run.c ------------------------------------------------------------------------ */

/* Run a list of passes, which ends with NULL; returns the result. */
int lrc_run_passes(lrc_run *run, lrc_plan *plan, const lrc_pass *const *passes);
/* Call the plan's `ask`; its answer becomes the run's result. */
void lrc_ask_caller(lrc_run *run, lrc_ask what);
const lrc_group *lrc_group_of(const lrc_run *run, const lrc_view *v);
double lrc_grad_scale(const lrc_run *run);

/* --- numbers.c -------------------------------------------------------------------- */

/* Round a group's coefficients, and choose its kernels. */
void lrc_round_numbers(const lrc_run *run, size_t group, lrc_rule rule, int emits);
/* Set all groups' coefficients from the plan and the clip factors, and round them. */
void lrc_round_all(const lrc_run *run);
/* A group's coefficients in a dtype. */
const void *lrc_coefs(const lrc_numbers *numbers, lrc_dtype dtype);
/* Split f into two normal floats, whose product is f; half[0] is 1 if f is normal. */
void lrc_halve(lrc_scaled f, double half[2]);
/* Move to before_kernel[0] the part of gscale that makes it no normal float. */
void lrc_halve_gscale(lrc_numbers *numbers);

/* --- gradient.c ------------------------------------------------------------------- */

/* The gradient of a view: with acc added; then clipped by value; then clipped by units;
 * then times before_kernel, as its kernel gets it.  Each function returns `scratch` if
 * it has changed something, otherwise the array that it began with. */
const void *lrc_gathered(const lrc_run *run, const lrc_view *v, void *scratch);
const void *lrc_clamped(const lrc_run *run, const lrc_view *v, const void *g,
                        void *scratch);
const void *lrc_clipped(const lrc_run *run, lrc_view *v, void *scratch);
const void *lrc_gradient(const lrc_run *run, lrc_view *v, void *scratch);

/* --- the other files -------------------------------------------------------------- */

/* step.c: the input of the kernel: the caller's direction, or the gradient, divided by
 * the root of its second moment if that is factored. */
const void *lrc_direction(const lrc_run *run, lrc_view *v, lrc_scratch scratch[2]);

/* direct.c: advance the states of a strip of a directed group. */
void lrc_advance_states(const lrc_run *run, const lrc_view *v, lrc_scratch scratch[2]);

/* factor.c: u, a gradient divided by the root of its factored second moment; and the
 * doubles that a tensor needs in `factor`. */
const void *lrc_unfactored(const lrc_run *run, const lrc_view *v, const void *g,
                           lrc_scratch *u);
size_t lrc_factor_work(const lrc_tensor *t);

/* least.c: how many elements of a tensor stay in one chunk: those of some strips. */
size_t lrc_grain(const lrc_tensor *t);

/* average.c: update the averages of a strip. */
void lrc_average_strip(const lrc_run *run, const lrc_view *v);

/* units.c: whether a tensor is clipped by more than one unit. */
int lrc_has_units(const lrc_run *run, const lrc_tensor *t);
/* Make the clip factors of a tensor's units, for gradients that were multiplied by
 * `scale`.  Returns the sum of squares after clipping; it is `total` if nothing was
 * clipped. */
lrc_squares lrc_clip_units(lrc_run *run, const lrc_tensor *t, lrc_scaled scale,
                           const lrc_squares *total);

/* clip.c: the factor that reduces a norm to max_norm; 1 if it is less or not finite. */
lrc_scaled lrc_clip_factor(lrc_scaled norm, double max_norm);
/* The max_norm of adaptive clipping, from the norm of p. */
double lrc_agc_max_norm(const lrc_group *group, lrc_scaled p);

/* report.c: the sums of a tensor's strips, added in order. */
lrc_measured lrc_sum_up(const lrc_run *run, const lrc_tensor *t);

#endif
