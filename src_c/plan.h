/* plan.h: a plan as the core sees it: the tensors, the groups that they belong to, and
 * how a step runs.  The Python binding fills these structs itself.  Programs use
 * lrcore.h, whose functions fill them and check what they are given.
 *
 * For each element of each tensor it computes, in the tensor's own precision,
 *
 *     g' = gscale g + l2 p;   u = rule(g', states);   p = decay p - lr u
 *
 * where the rule also updates the states.  A group's numbers (gscale, l2, decay, lr and
 * the rule's own) are given as doubles and are rounded once to the tensor's type.
 * Where l2 is 0 the term l2 p is left out, so that an infinite p makes no NaN there.
 *
 * Mechanic (mechanic_delta and mechanic_p0 are set) sums the rule's steps in delta, and
 * moves p by s delta, where s is a learned scale.  With was = p0 - s_before delta,
 *
 *     p0 = p0 + (p - was);   rule;   delta = keep delta + (was - p);   p = p0 - s delta
 *
 * where `was` is computed anew after the rule.  The first term moves p0 if the caller
 * has changed p since the last step; otherwise p0 stays.
 *
 * Then the averages of p are updated, each with its own weight in this step:
 *
 *     a = a + weight (p - a);   then p = a, if the average pulls
 *
 * by the step or, if the plan has averages_later, by lrc_update_averages(): between the
 * two calls the caller may change p, as a projection onto a set does.
 *
 * Before the rule, gradients are scaled and clipped, in this order:
 *
 *     g = grad_scale (g + acc)                    acc: the sum made by lrc_gather()
 *     g = max(-clip_value, min(clip_value, g))
 *     g = g min(1, clip_norm / |g|)               group's clip_norm, |g| of the tensor
 *     g = g min(1, agc max(|p|, agc_eps) / |g|)   |g| and |p| of each unit of it
 *     g = g min(1, clip_norm / (|g| + clip_eps))  plan's clip_norm, |g| of all tensors
 *
 * A norm that is not finite clips nothing.  With skip_nonfinite, the step is not taken
 * if an element of the gradients, before or after clipping, is not finite.  Norms and
 * this check cost one more pass over the gradients.  Clipping keeps any finite gradient
 * finite: where squares leave the range of a double, the norm is taken of 2^-600 g or
 * 2^600 g, and a factor that is no normal float is applied as two factors.
 *
 * A group of one tensor may have a scale (scales.def: LARS, LAMB, NovoGrad, Adafactor):
 * in each step it changes the group's numbers according to the tensor's norms.  A
 * group may be factored: it keeps a second moment for each row, each column and so on;
 * then the rule gets, instead of g, a direction u: see lrc_factoring.
 *
 * A group may have a gauge (gauges.def): sums over its tensors, from which the caller
 * makes the group's numbers.  In the middle of a step `ask` calls the caller: see
 * lrc_ask.  A group may be directed: the caller replaces the directions of its rule by
 * others, and gscale and l2 are for these,
 *
 *     u = rule(g, states);   the caller changes u;   p = decay p - lr (gscale u + l2 p)
 *
 * Contract.  Results are the same bits for every instruction set, number of threads,
 * alignment and floating-point mode of the caller; with keep_subnormals also for every
 * architecture (they differ in which results count as subnormal).  Nothing here is
 * checked: the caller guarantees that pointers are aligned to their type, that lengths
 * are right, and that a tensor's buffers overlap no other buffer of the plan (gradients
 * may overlap each other if none is zeroed).  Two threads may step two plans at the
 * same time, but not the same plan.
 *
 * Nothing here takes memory from the heap, prints, keeps a reference or ends the
 * process, but for threads: see lrcore.h. */

#ifndef LRC_PLAN_H
#define LRC_PLAN_H

#include "lrcore.h"

enum {
    LRC_MAX_STATES = 4,   /* state arrays of a rule */
    LRC_MAX_COEFS = 12,   /* gscale, l2, decay, lr, then the rule's own */
    LRC_RULE_COEFS = 4,   /* index of the rule's first own coefficient */
    LRC_MAX_AVERAGES = 4, /* averages of a tensor */
    LRC_MAX_SCALE_COEFS = 4,
    LRC_MAX_GAUGED = 2,      /* arrays that a gauge reads besides g and p */
    LRC_MAX_SUMS = 4,        /* sums of a gauge */
    LRC_MAX_GAUGE_COEFS = 3, /* coefficients of a gauge */
    LRC_MAX_FACTOR_COEFS = 3 /* coefficients of a factored second moment */
};

enum { LRC_N_DTYPES = LRC_F64 + 1 };

#include "registry.h"

/* How a second moment v is made from its sides, and its sides from v.
 *
 * LRC_PRODUCT (Adafactor), of a sequence of matrices, with w, eps and added:
 *
 *     row[i] += w (mean over j of (g[i,j]^2 + a) - row[i]);   col[j] likewise
 *     v = row[i] col[j] / max(mean of row, b);   u = g / sqrt(max(v, b^2))
 *
 * where a = eps, b = 0 if `added`, otherwise a = 0, b = eps; eps < 0 means the machine
 * epsilon of the type.  b^2 is at least the smallest normal number, and a mean at most
 * the largest number over the tensor's elements.  With one side,
 * v[i] += w (g[i]^2 + a - v[i]).
 *
 * LRC_LEAST (SM3), of an array of any number of dimensions, with eps:
 *
 *     v = min(side[0][i], side[1][j], ...) + g^2;   u = g / sqrt(v + eps)
 *     side[0][i] = largest v of index i;   side[1][j] likewise, ... */
typedef enum { LRC_UNFACTORED, LRC_PRODUCT, LRC_LEAST } lrc_factoring;

typedef struct {
    void *x;  /* of p's type, updated; LRC_PRODUCT: n numbers for each matrix */
    size_t n; /* the length of the dimension */
} lrc_side;

typedef struct {
    const lrc_side *side; /* in the order of the memory: the last is that of columns */
    size_t n_sides;
} lrc_factors;

/* The units of adaptive clipping: a tensor of shape (outer, reduced, inner) has one, of
 * `reduced` elements, for each pair of an outer and an inner index. */
typedef struct {
    size_t outer, reduced, inner;
} lrc_units;

typedef struct {
    void *p;   /* parameters, updated */
    void *g;   /* gradients, read, then zeroed if the plan says so */
    void *acc; /* the sum of the gradients that lrc_gather() was given; or NULL */
    void *s[LRC_MAX_STATES];
    void *a[LRC_MAX_AVERAGES]; /* averages, in the order of the group's; or NULL */
    void *u; /* scratch like p, if the scale emits or the group is directed */
    void *mechanic_delta; /* Mechanic's arrays; or NULL */
    void *mechanic_p0;
    double *scale_state;                /* if the group's scale has a state */
    const void *gauged[LRC_MAX_GAUGED]; /* arrays that the gauge reads, may be states */
    lrc_factors factors;                /* if the group is factored */
    lrc_units units;                    /* if the group has agc */
    size_t n;                           /* elements */
    /* In a plan of several processes: how many elements at the beginning and at the end
     * other processes step, in whole strips.  The others are the plan's own, and arrays
     * other than p and the sides begin with the first of these. */
    size_t before, after;
    lrc_dtype dtype;
    unsigned group; /* index into the plan's groups */
    /* Own elements, strips, units and work of all tensors before this: see
     * lrc_plan_tensors(). */
    size_t first, first_strip, first_unit, first_factor;
    size_t grain; /* chunks have whole grains of its elements; set there, too */
} lrc_tensor;

typedef struct {
    double weight; /* of p, in this step; 0: the average does not change */
    int pulls;     /* whether p is set to the average afterwards */
} lrc_average;

typedef struct {
    double keep;        /* factor of delta */
    double before, now; /* s of the last step and of this one */
} lrc_mechanic;

typedef struct {
    lrc_rule rule;
    double coef[LRC_MAX_COEFS];
    lrc_scale scale;
    double scale_coef[LRC_MAX_SCALE_COEFS];
    lrc_gauge gauge;
    double gauge_coef[LRC_MAX_GAUGE_COEFS];
    lrc_factoring factoring;                  /* not together with a scale that emits */
    double factor_coef[LRC_MAX_FACTOR_COEFS]; /* w, eps, added; or eps */
    int directed; /* whether the caller replaces the rule's directions */
    /* Clipping of elements, of the tensor, of its units; 0: none.  A group with a
     * scale, clip_norm or agc has one tensor. */
    double clip_value, clip_norm, agc, agc_eps;
    lrc_mechanic mechanic; /* if its tensors have Mechanic's arrays */
    lrc_average average[LRC_MAX_AVERAGES];
} lrc_group;

/* A sum of squares in three parts, which keep any finite sum in range.  A strip whose
 * sum neither overflows nor loses small squares adds it to `mid`; any other adds the
 * sum of (2^-600 x)^2 to `large` or of (2^600 x)^2 to `small` (Blue 1978, "A portable
 * Fortran program to find the Euclidean norm of a vector"). */
typedef struct {
    double mid, small, large;
} lrc_squares;

/* a += b; and the square root of a sum: infinite if it exceeds the largest double. */
void lrc_add_squares(lrc_squares *a, const lrc_squares *b);
double lrc_norm(const lrc_squares *sum);

/* What a step measures of a tensor: sums of squares of grad_scale (g + acc), of the
 * clipped gradient, of the new p before averages pull it, and of the change of p. */
typedef struct {
    lrc_squares g, clipped, p, u;
    size_t nonfinite; /* elements of the gradient that are not finite */
} lrc_report;

/* lrc_step() returns LRC_TAKEN; LRC_SKIPPED, by skip_nonfinite or since `ask` returned
 * this (gradients are zeroed if zero_grads is set); or LRC_REFUSED, since the plan has
 * no work or `ask` returned this.  A step that was not taken may have written the
 * report, u and the sums for `ask`, but no parameter, state or average. */

/* What `ask` asks the caller to set in the middle of a step.  GAUGED: the groups'
 * coefficients and Mechanic's numbers, from gauge_sums.  DIRECTED: u, from the rule's
 * directions, which it holds. */
typedef enum { LRC_ASK_GAUGED, LRC_ASK_DIRECTED } lrc_ask;

/* What the processes of a plan share in the middle of a step: an array with an entry
 * for each strip, or for each unit, of all tensors.  Each process has filled those of
 * its own elements. */
typedef struct {
    char *entry;
    size_t size; /* bytes of an entry */
    int of_units;
} lrc_merged;

struct lrc_plan {
    lrc_tensor *tensor;
    size_t n_tensors;
    size_t total;    /* own elements of all tensors, and */
    size_t n_strips; /* strips of LRC_STRIP: set by lrc_plan_tensors() */
    lrc_group *group;
    size_t n_groups;
    void *work;         /* scratch of a step; lrc_plan_tensors() returns its bytes */
    lrc_report *report; /* one for each tensor, written; or NULL */
    double *gauge_sums; /* LRC_MAX_SUMS for each tensor, written, for groups' gauges */
    /* Returns LRC_TAKEN to go on, or what lrc_step() shall return.  It runs in the
     * thread that called lrc_step(), with that thread's floating-point mode. */
    int (*ask)(void *caller, lrc_plan *plan, lrc_ask what); /* or NULL */
    void *caller;
    /* Fills in the entries of the other processes; returns LRC_TAKEN, or LRC_REFUSED to
     * end the step.  NULL: there are no others.  It runs as `ask` does. */
    int (*merge)(void *merger, lrc_plan *plan, const lrc_merged *what);
    void *merger;
    double grad_scale;          /* 0 counts as 1 */
    double clip_norm, clip_eps; /* 0: none */
    int skip_nonfinite;      /* whether a gradient that is not finite skips the step */
    int zero_grads;          /* whether gradients are zeroed after use */
    int gathered;            /* whether acc is added to the gradients */
    int averages_later;      /* whether averages wait for lrc_update_averages() */
    int num_threads;         /* the most that a step uses; 0: lrc_num_threads() */
    int keep_subnormals;     /* 0: they are flushed to zero, since they slow a step */
    size_t parallel_from;    /* least total for more than one thread; 0: the default */
    struct lrc_setup *setup; /* of a plan of lrc_plan_create(); otherwise NULL */
};

/* Elements of a strip.  Stages work on a strip while it is in the cache, and norms are
 * summed strip by strip. */
enum { LRC_STRIP = 2048 };

/* The default of parallel_from.  A second thread, if it is awake, pays from about
 * 40,000 elements on; here two take 0.70 of the time of one (bench/threads.py). */
enum { LRC_PARALLEL_FROM = 65536 };

/* Number the elements, strips and units of a plan's tensors, once their lengths, units
 * and own elements are set.  Returns the bytes of `work`, which must be aligned like a
 * double. */
size_t lrc_plan_tensors(lrc_plan *plan);

/* How many of a tensor's elements are the plan's own. */
static inline size_t lrc_own(const lrc_tensor *t)
{
    return t->n - t->before - t->after;
}

/* Take one step.  The plan's tensors and group coefficients are set. */
int lrc_step(lrc_plan *plan);

/* Read the gradients as a step does, but take no step and call no `ask`.  Writes the
 * report's sums of gradients, and gauge_sums. */
int lrc_measure(lrc_plan *plan);

/* Clip the gradients in place; take no step. */
int lrc_clip(lrc_plan *plan);

/* Update the averages by the weights of the step, if it left them. */
int lrc_update_averages(lrc_plan *plan);

/* Gather the gradients: acc = g if `first` is set, otherwise acc = acc + g. */
int lrc_gather(lrc_plan *plan, int first);

/* Zero acc, u, the states, averages and Mechanic's arrays, unless they are NULL: each
 * element in the thread whose share it is in a step.  A system with several memories
 * takes a page from that of the thread which first writes to it. */
int lrc_zero_arrays(lrc_plan *plan);

/* Sum over a tensor's own elements, with dp = p - last_p, g' = last_g and the new
 * gradient scale (g + acc), where NULL for acc is 0:
 *
 *     dp (scale (g + acc) - g'),   dp dp,   dp g'
 *
 * by strip, in doubles; then last_p = p, last_g = scale (g + acc).  These two begin
 * with the first own element. */
enum { LRC_CHANGES = 3 };
void lrc_sum_changes(const lrc_tensor *t, const void *acc, double scale, void *last_p,
                     void *last_g, double *sums);

/* Copy blocks of n > 0 bytes each, in at most num_threads threads; 0 is
 * lrc_num_threads().  No block overlaps another one or a copy; `to` is aligned to 64
 * bytes. */
typedef struct {
    void *to;
    const void *of;
    size_t n;
    size_t first; /* set by lrc_copy(): bytes of the blocks before, in lines of 64 */
} lrc_block;

void lrc_copy(lrc_block *block, size_t n_blocks, int num_threads);

/* For benchmarks: add g to each of n_arrays arrays (1 to 5) of n floats.  This moves
 * the bytes of a step with almost no arithmetic. */
void lrc_traffic(const float *g, float *const *arrays, int n_arrays, size_t n,
                 int num_threads);

#endif
