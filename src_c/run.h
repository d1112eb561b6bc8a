/* run.h: a step under way, and the passes that it is a list of.
 *
 * A pass is what has to know something of the whole before the next can go on: each thread
 * does its share, then thread 0, the caller's, makes numbers of what all have found while
 * the others wait.  A run holds what they find; its arrays are the plan's work. */

#ifndef LRC_RUN_H
#define LRC_RUN_H

#include "kernels.h"
#include "portable.h"
#include "split.h"
#include "squares.h"

/* What is made of a strip while it is in the cache. */
typedef union {
    float f32[LRC_STRIP];
    double f64[LRC_STRIP];
} lrc_scratch;

/* A group's numbers in this step. */
typedef struct {
    lrc_scaled factor;         /* of gradients, by their clipping, before coef[0] */
    double f64[LRC_MAX_COEFS]; /* coefficients as clipping and scales leave them, */
    float f32[LRC_MAX_COEFS];  /* rounded */
    lrc_kernel *kernel[LRC_N_DTYPES];
    /* Gradients are multiplied by `first` before they are clipped, and by `apart` before
     * the kernel: a factor that coef[0] cannot hold.  They are mostly 1. */
    double first, apart[2];
    int bare; /* whether a step is the kernel alone */
} lrc_numbers;

/* What was measured of a strip: sums of squares of g; of g clipped by value, or of what a
 * scale divides by; of p; of p's change by the rule, or by Mechanic. */
typedef struct {
    lrc_squares g, x, p, u;
    size_t nonfinite; /* elements of g */
} lrc_measured;

/* A unit of adaptive clipping. */
typedef struct {
    lrc_scaled g, p; /* norms */
} lrc_unit;

typedef struct lrc_pass lrc_pass;

typedef struct {
    lrc_plan *plan;
    const lrc_pass *const *passes;
    const lrc_table *const *table; /* by dtype */
    lrc_numbers *numbers;          /* of each group */
    lrc_measured *strip;           /* of each strip */
    double *gauge;                 /* LRC_MAX_SUMS of each strip */
    lrc_unit *unit;                /* of each unit, with its factors in either dtype: */
    double *unit_factor[2];        /* the second where a factor has to be two */
    unsigned asked;   /* LRC_MEASURES and so on: which passes are asked for */
    int first;        /* of lrc_gather() */
    int units_halved; /* whether unit_factor[1] is used */
    int result;       /* LRC_TAKEN, until a pass finds otherwise */
    fp_mode caller;   /* of the thread that called */
} lrc_run;

/* What a plan may ask for, beside the step: each by a pass. */
enum {
    LRC_ALWAYS = 1,
    LRC_MEASURES = 2,
    LRC_CHECKS = 4,
    LRC_GAUGES = 8,
    LRC_FACTORS = 16,
    LRC_DIRECTS = 32,
    LRC_SCALES = 64,
    LRC_REPORTS = 128,
    LRC_ZEROES = 256
};

struct lrc_pass {
    unsigned asked; /* it is run where this is asked for, */
    int result; /* and the result is this so far: LRC_TAKEN, but for the last pass */
    void (*share)(lrc_run *run, const lrc_team *team); /* or NULL, */
    void (*meet)(lrc_run *run);                        /* or NULL */
};

/* In the order of a step: see step.c. */
extern const lrc_pass lrc_measure_pass, lrc_check_pass, lrc_gauge_pass, lrc_factor_pass,
    lrc_direct_pass, lrc_scale_pass, lrc_step_pass, lrc_report_pass, lrc_zero_pass;
/* Of the other functions of lrcore.h. */
extern const lrc_pass lrc_clip_pass, lrc_gather_pass;

/* run.c: run a list of passes, which ends with NULL; returns the result. */
int lrc_run_passes(lrc_run *run, lrc_plan *plan, const lrc_pass *const *passes);
/* Ask the caller; where it does not go on, the step is refused. */
void lrc_ask_caller(lrc_run *run, lrc_ask what);
const lrc_group *lrc_group_of(const lrc_run *run, const lrc_view *v);
double lrc_grad_scale(const lrc_run *run);

/* numbers.c: begin with each group's; round them, and look up the kernels they ask for. */
void lrc_begin_numbers(lrc_run *run);
void lrc_round_numbers(const lrc_run *run, size_t group, lrc_rule rule, int emits);
void lrc_round_all(const lrc_run *run);
const void *lrc_coefs(const lrc_numbers *numbers, lrc_dtype dtype);
/* Two factors whose product is f, each a normal number of either type; one of them is 1
 * where f is one itself. */
void lrc_halve(lrc_scaled f, double half[2]);
/* Put what gscale cannot hold as a normal number apart. */
void lrc_halve_gscale(lrc_numbers *numbers);

/* gradient.c: the gradient of a view, made in `made` or where it is: gathered; clipped by
 * value; by units too; and as its kernel is given it, times what gscale cannot hold. */
const void *lrc_gathered(const lrc_run *run, const lrc_view *v, void *made);
const void *lrc_clamped(const lrc_run *run, const lrc_view *v, const void *g,
                        void *made);
const void *lrc_clipped(const lrc_run *run, lrc_view *v, void *made);
const void *lrc_gradient(const lrc_run *run, lrc_view *v, void *made);

/* step.c: what the kernel is given: the caller's direction, or the gradient, or that over
 * its factored root. */
const void *lrc_direction(const lrc_run *run, lrc_view *v, lrc_scratch made[2]);

/* units.c: whether a tensor is clipped by units; measure them; make their factors. */
int lrc_has_units(const lrc_run *run, const lrc_tensor *t);
void lrc_measure_units(lrc_run *run, const lrc_team *team);
lrc_squares lrc_clip_units(lrc_run *run, const lrc_tensor *t, lrc_scaled factor,
                           const lrc_squares *total);

/* clip.c: the factor that makes a norm at most `most`, 1 where it is not finite; the most
 * that adaptive clipping leaves of a norm, for that of p. */
lrc_scaled lrc_clip_factor(lrc_scaled norm, double most);
double lrc_agc_most(const lrc_group *group, lrc_scaled p);

/* report.c: what a tensor's strips add up to, in order. */
lrc_measured lrc_sum_up(const lrc_run *run, const lrc_tensor *t);

#endif
