/* lrcore.h: the C interface of lrcore, the fused in-place parameter update.
 *
 * A step takes a plan: the tensors, the groups that they belong to, and how to run. For
 * each element of each tensor it computes, in the tensor's own precision,
 *
 *     g' = gscale g + l2 p;   u = rule(g', states);   p = decay p - lr u
 *
 * where the rule also updates the states.  The numbers of a group (gscale, l2, decay,
 * lr and the rule's own) come as doubles and are rounded once to the tensor's type.  A
 * term whose l2 is 0 is absent: an infinite p does not become a NaN through it.
 *
 * A tensor that has Mechanic's arrays is moved by its scale s of such steps.  With `was` for
 * p0 - s_before delta, before the rule and after it:
 *
 *     p0 = p0 + (p - was);   rule;   delta = keep delta + (was - p);   p = p0 - s delta
 *
 * so that p0 moves with a p that was changed since the last step, and stays otherwise.
 *
 * Then come averages of p, as many as a tensor has, each with a weight of the step:
 *
 *     a = a + weight (p - a);   p = a, where the average pulls
 *
 * Before all that, gradients may be treated, in this order:
 *
 *     g = grad_scale (g + acc)                     gathered before: acc
 *     g = max(-clip_value, min(clip_value, g))
 *     g = g min(1, clip_norm / |g|)                |g| the tensor's: the group's clip_norm
 *     g = g min(1, agc max(|p|, agc_eps) / |g|)    norms of each unit of the tensor
 *     g = g min(1, clip_norm / (|g| + clip_eps))   |g| of all: the plan's clip_norm
 *
 * (a norm that is not finite clips nothing), or the step left undone where one of them is
 * not finite.  That takes a pass over the gradients before the step's own.
 *
 * A group of one tensor may have a scale, which makes its numbers from the tensor's
 * norms, each step anew: LARS, LAMB, NovoGrad, Adafactor (scales.def).  A tensor may be a
 * matrix whose second moment is factored into rows and columns; then, for g,
 *
 *     LRC_PRODUCT   g / sqrt(max(row[i] col[j], floor))
 *     LRC_LEAST     g / sqrt(min(row[i], col[j]) + g^2 + floor)
 *
 * A group may have a gauge: sums over its tensors, read before the step, from which the
 * caller makes its numbers (gauges.def).
 *
 * Norms are roots of sums of squares in double, in a fixed order: infinite for numbers
 * past 1e154.
 *
 * Contract.  Results are the same bits for every instruction set, number of threads,
 * alignment and floating-point mode of the caller; with keep_subnormals also for every
 * architecture, as they differ in which results count as subnormal.  The caller
 * guarantees that pointers are aligned to their type, lengths are right, and what belongs
 * to a tensor overlaps no other buffer of the plan (gradients may overlap each other, where
 * none is zeroed).  Nothing here allocates, prints, exits or keeps a reference, and
 * lrc_step() cannot fail. */

#ifndef LRCORE_H
#define LRCORE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    LRC_MAX_STATES = 4,   /* state arrays of a rule */
    LRC_MAX_COEFS = 12,   /* gscale, l2, decay, lr, then the rule's own */
    LRC_RULE_COEFS = 4,   /* where the rule's own begin */
    LRC_MAX_AVERAGES = 4, /* averages of a tensor */
    LRC_MAX_SCALE_COEFS = 4,
    LRC_MAX_GAUGED = 2,     /* arrays that a gauge reads beside g and p, */
    LRC_MAX_SUMS = 4,       /* its sums, */
    LRC_MAX_GAUGE_COEFS = 3 /* and its coefficients */
};

typedef enum { LRC_F32, LRC_F64, LRC_N_DTYPES } lrc_dtype;

#define RULE(name, n_state, states, coefs) LRC_##name,
typedef enum {
#include "rules.def"
    LRC_N_RULES
} lrc_rule;
#undef RULE

#define SCALE(name, emits, n_state, states, coefs) LRC_SCALE_##name,
typedef enum {
    LRC_NO_SCALE,
#include "scales.def"
    LRC_N_SCALES
} lrc_scale;
#undef SCALE

#define GAUGE(name, n_array, arrays, n_sum, coefs) LRC_GAUGE_##name,
typedef enum {
    LRC_NO_GAUGE,
#include "gauges.def"
    LRC_N_GAUGES
} lrc_gauge;
#undef GAUGE

/* What rules.def says of each rule. */
typedef struct {
    const char *name;
    int n_state;
    const char *states, *coefs; /* comma-separated */
} lrc_rule_info;
extern const lrc_rule_info lrc_rules[LRC_N_RULES];

/* What scales.def says of each scale; that of LRC_NO_SCALE is empty. */
typedef struct {
    const char *name;
    int emits;   /* whether it scales the rule's u rather than the gradient */
    int n_state; /* doubles a tensor */
    const char *states, *coefs;
} lrc_scale_info;
extern const lrc_scale_info lrc_scales[LRC_N_SCALES];

/* What gauges.def says of each gauge; that of LRC_NO_GAUGE is empty. */
typedef struct {
    const char *name;
    int n_array;
    const char *arrays;
    int n_sum;
    const char *coefs;
} lrc_gauge_info;
extern const lrc_gauge_info lrc_gauges[LRC_N_GAUGES];

/* How a second moment is factored. */
typedef enum { LRC_UNFACTORED, LRC_PRODUCT, LRC_LEAST } lrc_factoring;

typedef struct {
    lrc_factoring factoring;
    const void *row, *col; /* like p: n_rows, n_cols of each matrix in a row */
    size_t n_rows, n_cols; /* of a matrix; a tensor is one or many of them */
    double floor;
} lrc_factors;

/* The units that adaptive clipping takes norms of: of a tensor of shape (outer, reduced,
 * inner) those over `reduced`. */
typedef struct {
    size_t outer, reduced, inner;
    /* Scratch of outer * inner numbers, where these are more than one; factor: in the
     * tensor's type. */
    double *gg, *pp;
    void *factor;
} lrc_units;

typedef struct {
    void *p;   /* parameters, updated */
    void *g;   /* gradients, read, or zeroed after they have been */
    void *acc; /* the sum of the gradients that lrc_gather() has taken; or NULL */
    void *s[LRC_MAX_STATES];
    void *a[LRC_MAX_AVERAGES]; /* averages, in the order of the group's; or NULL */
    void *u;                   /* scratch like p, where the group's scale emits */
    void *mechanic_delta;      /* Mechanic's arrays; or NULL */
    void *mechanic_p0;
    double *scale_state;                /* where the group's scale has any */
    const void *gauged[LRC_MAX_GAUGED]; /* what the group's gauge reads: states too */
    lrc_factors factors;                /* none where the group's scale emits */
    lrc_units units;                    /* where the group has agc */
    size_t n;                           /* elements */
    size_t first;                       /* elements in the tensors before, and */
    size_t first_strip;                 /* strips: set by lrc_plan_tensors() */
    lrc_dtype dtype;
    unsigned group; /* index into the plan's groups */
} lrc_tensor;

typedef struct {
    double weight; /* of p, in this step; 0: the average stays as it is */
    int pulls;     /* whether p becomes the average afterwards */
} lrc_average;

typedef struct {
    double keep, before, now; /* of delta; s before and now */
} lrc_mechanic;

/* Of a strip: sums of squares of g, of g clipped by value or of what a scale divides by,
 * of p, and of p's change by the rule, or by Mechanic; and the elements of g that are not
 * finite. */
typedef struct {
    double g, x, p, u;
    size_t nonfinite;
} lrc_sums;

typedef struct {
    lrc_rule rule;
    double coef[LRC_MAX_COEFS];
    lrc_scale scale;
    double scale_coef[LRC_MAX_SCALE_COEFS];
    lrc_gauge gauge;
    double gauge_coef[LRC_MAX_GAUGE_COEFS];
    /* Clipping of elements, of the tensor, of its units; 0: none.  A group with a scale,
     * clip_norm or agc has one tensor. */
    double clip_value, clip_norm, agc, agc_eps;
    lrc_mechanic mechanic; /* where its tensors have the arrays */
    lrc_average average[LRC_MAX_AVERAGES];
    /* Scratch of a step: what g is multiplied by before gscale; the coefficients as
     * scaled, and rounded; and the kernels they ask for. */
    double factor;
    double coef_f64[LRC_MAX_COEFS];
    float coef_f32[LRC_MAX_COEFS];
    void (*kernel[LRC_N_DTYPES])(const lrc_tensor *t, size_t lo, size_t n,
                                 const void *c, lrc_sums *sums);
    int plain; /* whether a step is the kernel alone */
} lrc_group;

/* Of a tensor, as a step leaves it: the same of g times grad_scale, of g as clipped, of
 * p before averages pull at it, and of its change. */
typedef struct {
    double g, clipped, p, u;
    size_t nonfinite;
} lrc_report;

/* What a scale is told of a tensor. */
typedef struct {
    double xx, pp; /* sums of squares */
    double n;      /* elements */
} lrc_norms;

typedef struct {
    lrc_tensor *tensor;
    size_t n_tensors;
    size_t total;    /* elements in all tensors, and */
    size_t n_strips; /* strips of LRC_STRIP: set by lrc_plan_tensors() */
    lrc_group *group;
    size_t n_groups;
    lrc_sums *sums; /* n_strips of them: scratch; or NULL where nothing is measured */
    lrc_report *report; /* n_tensors of them, written; or NULL */
    double grad_scale;
    double clip_norm, clip_eps; /* 0: none */
    int skip_nonfinite;   /* whether a gradient that is not finite undoes the step */
    int zero_grads;       /* whether gradients are zeroed after use */
    int gathered;         /* whether to add what was gathered */
    int treated;          /* whether lrc_treat() has made the gradients */
    int num_threads;      /* at most so many; 0: what lrc_num_threads() says */
    int keep_subnormals;  /* 0: flushed to zero, as a dead unit's state would slow
                                   the step */
    size_t parallel_from; /* smallest total that is given to more than one thread */
    /* Scratch of a step. */
    void *const *out;
    int measures, scales, applied;
} lrc_plan;

/* What stages work on while it is in the cache, and the unit in which norms are summed:
 * elements of one tensor. */
enum { LRC_STRIP = 2048 };

/* A plan's usual parallel_from.  From about 40,000 elements on a second thread pays, where
 * it is awake; here it takes a quarter to a third off the step (bench/threads.py). */
enum { LRC_PARALLEL_FROM = 65536 };

/* Number the elements and strips of a plan's tensors: once, when their lengths are
 * known. */
void lrc_plan_tensors(lrc_plan *plan);

/* Whether a step of this plan changes its gradients, or checks them. */
int lrc_plan_treats(const lrc_plan *plan);

/* One step.  The plan's tensors and group coefficients are set; two threads must not
 * step one plan at the same time.  Returns whether it was taken: 0 where a gradient is not
 * finite and the plan skips such steps, with nothing written but zeroed gradients. */
int lrc_step(lrc_plan *plan);

/* The treatment alone.  out: for each tensor where to write its gradient, which may be
 * where it is; or NULL, for a report alone.  Returns as lrc_step() does. */
int lrc_treat(lrc_plan *plan, void *const *out);

/* Read the gauges of a plan's groups, from which the caller makes the coefficients of a
 * step to come: the gradients are taken as they are, but for gscale and l2.
 * sums: LRC_MAX_SUMS of each tensor, written; part: as many of each strip, scratch. */
void lrc_read_gauges(const lrc_plan *plan, double *part, double *sums);

/* Gather the gradients: acc = g the first time, then acc = acc + g. */
void lrc_gather(lrc_plan *plan, int first);

/* What the next factors are made from: of each row and of each column of a tensor's
 * matrices, the sum of g^2 (LRC_PRODUCT), or the largest min(row[i], col[j]) + g^2
 * (LRC_LEAST).  At most num_threads, as in a plan; the order of the sums is fixed. */
void lrc_factor_stats(const lrc_tensor *tensor, double *row, double *col,
                      int num_threads, int keep_subnormals);

/* Instruction sets: the tables of this build, best last.  lrc_isa() is the one in use:
 * the environment's LRCORE_ISA where that runs here, else the best that does.
 * lrc_set_isa() chooses another, and returns 0, or -1 where this build or processor has
 * no such table; NULL chooses as at first. */
size_t lrc_isa_count(void);
const char *lrc_isa_name(size_t i);
int lrc_isa_runs(size_t i);
const char *lrc_isa(void);
int lrc_set_isa(const char *name);

/* Threads: 1 in a build without OpenMP.  lrc_set_num_threads(0) returns to the default:
 * OpenMP's own (OMP_NUM_THREADS, threadpoolctl), but no more than the processor affinity
 * allows now, and than lrc_limit_threads() says (0: any number). */
int lrc_num_threads(void);
void lrc_set_num_threads(int n);
void lrc_limit_threads(int n);
int lrc_has_openmp(void);

/* For benchmarks: reads g and adds it to each of n_arrays arrays, 1 to 5, of n floats: the
 * memory traffic of a step, and next to no arithmetic. */
void lrc_traffic(const float *g, float *const *arrays, int n_arrays, size_t n,
                 int num_threads);

#ifdef __cplusplus
}
#endif
#endif
