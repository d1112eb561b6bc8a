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
 * Before all that come, in this order,
 *
 *     g = grad_scale (g + acc)                     gathered before: acc
 *     g = max(-clip_value, min(clip_value, g))
 *     g = g min(1, clip_norm / |g|)                |g| the tensor's: the group's clip_norm
 *     g = g min(1, agc max(|p|, agc_eps) / |g|)    norms of each unit of the tensor
 *     g = g min(1, clip_norm / (|g| + clip_eps))   |g| of all: the plan's clip_norm
 *
 * (a norm that is not finite clips nothing), and the step is left undone where one of the
 * gradients is not finite then.  That takes a pass over the gradients before the step's
 * own.  A finite gradient of any size is clipped to a finite one: norms are taken once more
 * of 2^-600 g or 2^600 g where squares leave the range of a double, and a factor that is no
 * normal float is applied in two.
 *
 * A group of one tensor may have a scale, which makes its numbers from the tensor's
 * norms, each step anew: LARS, LAMB, NovoGrad, Adafactor (scales.def).  A tensor may be a
 * matrix whose second moment is factored into rows and columns; then, for g,
 *
 *     LRC_PRODUCT   g / sqrt(max(row[i] col[j], floor))
 *     LRC_LEAST     g / sqrt(min(row[i], col[j]) + g^2 + floor)
 *
 * A group may have a gauge: sums over its tensors, from which the caller makes its numbers
 * (gauges.def).  Or its directions are made by the caller as wholes.  What the caller makes
 * in the middle of a step is asked for by a function of the plan, see lrc_ask.
 *
 * Sums of squares are taken in double, in a fixed order.
 *
 * Contract.  Results are the same bits for every instruction set, number of threads,
 * alignment and floating-point mode of the caller; with keep_subnormals also for every
 * architecture, as they differ in which results count as subnormal.  The caller
 * guarantees that pointers are aligned to their type, lengths are right, and what belongs
 * to a tensor overlaps no other buffer of the plan (gradients may overlap each other, where
 * none is zeroed).  Two threads may step two plans at the same time, but not one.
 *
 * Nothing here allocates, prints or keeps a reference.  Nothing exits but OpenMP: its
 * runtime ends the process where the system refuses it a thread (as OMP_STACKSIZE=60000G
 * makes it do), so let num_threads be 1 where that may happen.
 *
 * Fork.  A child that steps after its parent has stepped by several threads would wait for
 * threads that it does not have, where the runtime is libgomp.  So before each fork of a
 * process that has run lrcore by several threads, libgomp's pool is ended by
 * omp_pause_resource_all(omp_pause_soft): it is made anew by the next parallel region, in
 * parent and child (0.5 ms).  What the host program keeps in threadprivate data of threads
 * other than the one that forks is lost with the pool; nothing else is reset. */

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

#include "registry.h"

/* How a second moment is factored. */
typedef enum { LRC_UNFACTORED, LRC_PRODUCT, LRC_LEAST } lrc_factoring;

typedef struct {
    const void *row, *col; /* like p: n_rows, n_cols of each matrix in a row */
    size_t n_rows, n_cols; /* of a matrix; a tensor is one or many of them */
    double floor;
    /* What the next factors are made from, written: of each row and of each column of
     * each matrix, the sum of g^2 (LRC_PRODUCT), or the largest min(row[i], col[j]) + g^2
     * (LRC_LEAST). */
    double *row_stat, *col_stat;
} lrc_factors;

/* The units that adaptive clipping takes norms of: of a tensor of shape (outer, reduced,
 * inner) those over `reduced`. */
typedef struct {
    size_t outer, reduced, inner;
} lrc_units;

typedef struct {
    void *p;   /* parameters, updated */
    void *g;   /* gradients, read, or zeroed after they have been */
    void *acc; /* the sum of the gradients that lrc_gather() has taken; or NULL */
    void *s[LRC_MAX_STATES];
    void *a[LRC_MAX_AVERAGES]; /* averages, in the order of the group's; or NULL */
    void *u;                   /* scratch like p, where the group's scale emits or its
                                * directions are the caller's */
    void *mechanic_delta;      /* Mechanic's arrays; or NULL */
    void *mechanic_p0;
    double *scale_state;                /* where the group's scale has any */
    const void *gauged[LRC_MAX_GAUGED]; /* what the group's gauge reads: states too */
    lrc_factors factors;                /* where the group is factored */
    lrc_units units;                    /* where the group has agc */
    size_t n;                           /* elements */
    lrc_dtype dtype;
    unsigned group; /* index into the plan's groups */
    /* Elements, strips and units in the tensors before: set by lrc_plan_tensors(). */
    size_t first, first_strip, first_unit;
} lrc_tensor;

typedef struct {
    double weight; /* of p, in this step; 0: the average stays as it is */
    int pulls;     /* whether p becomes the average afterwards */
} lrc_average;

typedef struct {
    double keep, before, now; /* of delta; s before and now */
} lrc_mechanic;

typedef struct {
    lrc_rule rule;
    double coef[LRC_MAX_COEFS];
    lrc_scale scale;
    double scale_coef[LRC_MAX_SCALE_COEFS];
    lrc_gauge gauge;
    double gauge_coef[LRC_MAX_GAUGE_COEFS];
    lrc_factoring factoring; /* not beside a scale that emits */
    int directed;            /* whether the caller makes the directions, in u */
    /* Clipping of elements, of the tensor, of its units; 0: none.  A group with a scale,
     * clip_norm or agc has one tensor. */
    double clip_value, clip_norm, agc, agc_eps;
    lrc_mechanic mechanic; /* where its tensors have the arrays */
    lrc_average average[LRC_MAX_AVERAGES];
} lrc_group;

/* A sum of squares, in three parts so that no finite one is out of range: strips of which
 * it is ordinary in `mid`; of the others (2^600 x)^2 in `small` or (2^-600 x)^2 in `large`
 * (Blue 1978, "A portable Fortran program to find the Euclidean norm of a vector"). */
typedef struct {
    double mid, small, large;
} lrc_squares;

/* a += b; and the root of a sum: infinite where the exact one is. */
void lrc_add_squares(lrc_squares *a, const lrc_squares *b);
double lrc_norm(const lrc_squares *sum);

/* Of a tensor, as a step leaves it: the same of g times grad_scale, of g as clipped, of
 * p before averages pull at it, and of its change. */
typedef struct {
    lrc_squares g, clipped, p, u;
    size_t nonfinite; /* elements of g */
} lrc_report;

/* What lrc_step() returns: the step was taken; or it was not, as a gradient is not finite and
 * the plan skips such steps: nothing has been written but zeroed gradients; or it was
 * refused, as the plan has no work or `ask` said so: nothing but the report has been. */
enum { LRC_REFUSED = -1, LRC_SKIPPED, LRC_TAKEN };

typedef struct lrc_plan lrc_plan;

/* What the caller is asked to make in the middle of a step, from what the step has read:
 * the groups' coefficients and Mechanic's numbers, from gauge_sums; the tensors' row and
 * col, from row_stat and col_stat; the directions, from the gradients that stand in u. */
typedef enum { LRC_ASK_GAUGED, LRC_ASK_FACTORED, LRC_ASK_DIRECTED } lrc_ask;

struct lrc_plan {
    lrc_tensor *tensor;
    size_t n_tensors;
    size_t total;    /* elements in all tensors, and */
    size_t n_strips; /* strips of LRC_STRIP: set by lrc_plan_tensors() */
    lrc_group *group;
    size_t n_groups;
    void *work;         /* lrc_plan_tensors() says how many bytes: a step's own */
    lrc_report *report; /* n_tensors of them, written; or NULL */
    /* Where groups have gauges: LRC_MAX_SUMS of each tensor, written. */
    double *gauge_sums;
    /* Returns LRC_TAKEN to go on, or what the step is to return.  It is called in the thread
     * that called lrc_step(), with that thread's floating-point mode, before anything has
     * been written but u. */
    int (*ask)(void *caller, lrc_plan *plan, lrc_ask what); /* or NULL */
    void *caller;
    double grad_scale;          /* 0 counts as 1 */
    double clip_norm, clip_eps; /* 0: none */
    int skip_nonfinite;   /* whether a gradient that is not finite undoes the step */
    int zero_grads;       /* whether gradients are zeroed after use */
    int gathered;         /* whether to add what was gathered */
    int num_threads;      /* at most so many; 0: what lrc_num_threads() says */
    int keep_subnormals;  /* 0: flushed to zero, as a dead unit's state would slow
                                 * the step */
    size_t parallel_from; /* smallest total that is given to more than one thread; 0:
                           * LRC_PARALLEL_FROM */
};

/* What stages work on while it is in the cache, and the unit in which norms are summed:
 * elements of one tensor. */
enum { LRC_STRIP = 2048 };

/* A plan's usual parallel_from.  From about 40,000 elements on a second thread pays, where
 * it is awake; here it takes a quarter to a third off the step (bench/threads.py). */
enum { LRC_PARALLEL_FROM = 65536 };

/* Number the elements, strips and units of a plan's tensors: once, when their lengths and
 * units are known.  Returns the bytes of work that its steps need, aligned as a double. */
size_t lrc_plan_tensors(lrc_plan *plan);

/* One step.  The plan's tensors and group coefficients are set. */
int lrc_step(lrc_plan *plan);

/* Look at the gradients as a step would, and ask for nothing; what it reads is written: the
 * report's part on gradients, gauge_sums, row_stat and col_stat. */
int lrc_measure(lrc_plan *plan);

/* Clip the gradients in place, and step nothing. */
int lrc_clip(lrc_plan *plan);

/* Gather the gradients: acc = g the first time, then acc = acc + g. */
int lrc_gather(lrc_plan *plan, int first);

/* For benchmarks: reads g and adds it to each of n_arrays arrays, 1 to 5, of n floats: the
 * memory traffic of a step, and next to no arithmetic. */
void lrc_traffic(const float *g, float *const *arrays, int n_arrays, size_t n,
                 int num_threads);

#include "machine.h"

#ifdef __cplusplus
}
#endif
#endif
