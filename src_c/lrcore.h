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
 * Then come averages of p, as many as a tensor has, each with a weight of the step:
 *
 *     a = a + weight (p - a);   p = a, where the average pulls
 *
 * A group of one tensor may have a scale, which makes its numbers from the tensor's
 * norms, each step anew: LARS, LAMB, NovoGrad, Adafactor (scales.def).  The norms are
 * sums of squares in double, infinite for numbers past 1e154.  A tensor may be a
 * matrix whose second moment is factored into rows and columns; then, for g,
 *
 *     LRC_PRODUCT   g / sqrt(max(row[i] col[j], floor))
 *     LRC_LEAST     g / sqrt(min(row[i], col[j]) + g^2 + floor)
 *
 * Contract.  Results are the same bits for every instruction set, number of threads,
 * alignment and floating-point mode of the caller; with keep_subnormals also for every
 * architecture, as they differ in which results count as subnormal.  The caller
 * guarantees that pointers are aligned to their type, lengths are right, and what belongs
 * to a tensor overlaps no other buffer of the plan (gradients may overlap each other).
 * Nothing here allocates, prints, exits or keeps a reference, and lrc_step() cannot
 * fail. */

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
    LRC_MAX_SCALE_COEFS = 4
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

/* How a second moment is factored. */
typedef enum { LRC_UNFACTORED, LRC_PRODUCT, LRC_LEAST } lrc_factoring;

typedef struct {
    lrc_factoring factoring;
    const void *row, *col; /* like p: n_rows, n_cols of each matrix in a row */
    size_t n_rows, n_cols; /* of a matrix; a tensor is one or many of them */
    double floor;
} lrc_factors;

typedef struct {
    void *p;       /* parameters, updated */
    const void *g; /* gradients, read */
    void *s[LRC_MAX_STATES];
    void *a[LRC_MAX_AVERAGES]; /* averages, in the order of the group's; or NULL */
    void *u;                   /* scratch like p, where the group's scale emits */
    double *scale_state;       /* where the group's scale has any */
    lrc_factors factors;       /* none where the group's scale emits */
    size_t n;                  /* elements */
    size_t first;              /* elements in the tensors before, and */
    size_t first_strip;        /* strips: set by lrc_plan_tensors() */
    lrc_dtype dtype;
    unsigned group; /* index into the plan's groups */
} lrc_tensor;

typedef struct {
    double weight; /* of p, in this step; 0: the average stays as it is */
    int pulls;     /* whether p becomes the average afterwards */
} lrc_average;

typedef struct {
    lrc_rule rule;
    double coef[LRC_MAX_COEFS];
    lrc_scale scale; /* not LRC_NO_SCALE: the group has one tensor */
    double scale_coef[LRC_MAX_SCALE_COEFS];
    lrc_average average[LRC_MAX_AVERAGES];
    /* Scratch of lrc_step(): the coefficients as scaled, and rounded; and the kernels
     * they ask for. */
    double coef_f64[LRC_MAX_COEFS];
    float coef_f32[LRC_MAX_COEFS];
    void (*kernel[LRC_N_DTYPES])(const lrc_tensor *t, size_t lo, size_t n,
                                 const void *c);
    int averages; /* whether an average has a weight */
} lrc_group;

/* The sums of squares of a strip: of what the scale divides by, and of p. */
typedef struct {
    double x, p;
} lrc_squares;

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
    lrc_squares *squares; /* n_strips of them: scratch, where a group has a scale */
    int num_threads;      /* at most so many; 0: what lrc_num_threads() says */
    int keep_subnormals;  /* 0: flushed to zero, as a dead unit's state would slow the
                             step */
    size_t parallel_from; /* smallest total that is given to more than one thread */
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

/* One step.  The plan's tensors and group coefficients are set; two threads must not
 * step one plan at the same time. */
void lrc_step(lrc_plan *plan);

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

/* Threads: 1 in a build without OpenMP.  lrc_set_num_threads(0) returns to the default,
 * which is OpenMP's own (OMP_NUM_THREADS, the processor affinity, threadpoolctl). */
int lrc_num_threads(void);
void lrc_set_num_threads(int n);
int lrc_has_openmp(void);

#ifdef __cplusplus
}
#endif
#endif
