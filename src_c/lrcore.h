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
 * Contract.  Results are the same bits for every instruction set, number of threads,
 * alignment and floating-point mode of the caller; with keep_subnormals also for every
 * architecture, as they differ in which results count as subnormal.  The caller guarantees that pointers are aligned to their type, lengths are
 * right, and a tensor's parameters and states overlap no other buffer of the plan
 * (gradients may overlap each other).  Nothing here allocates, prints, exits or keeps a
 * reference, and lrc_step() cannot fail. */

#ifndef LRCORE_H
#define LRCORE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    LRC_MAX_STATES = 4, /* state arrays of a rule */
    LRC_MAX_COEFS = 12, /* gscale, l2, decay, lr, then the rule's own */
    LRC_RULE_COEFS = 4  /* where the rule's own begin */
};

typedef enum { LRC_F32, LRC_F64, LRC_N_DTYPES } lrc_dtype;

#define RULE(name, n_state, states, coefs) LRC_##name,
typedef enum {
#include "rules.def"
    LRC_N_RULES
} lrc_rule;
#undef RULE

/* What rules.def says of each rule. */
typedef struct {
    const char *name;
    int n_state;
    const char *states, *coefs; /* comma-separated */
} lrc_rule_info;
extern const lrc_rule_info lrc_rules[LRC_N_RULES];

typedef struct {
    void *p;       /* parameters, updated */
    const void *g; /* gradients, read */
    void *s[LRC_MAX_STATES];
    size_t n;     /* elements */
    size_t first; /* elements in the tensors before: set by lrc_plan_tensors() */
    lrc_dtype dtype;
    unsigned group; /* index into the plan's groups */
} lrc_tensor;

typedef struct {
    lrc_rule rule;
    double coef[LRC_MAX_COEFS];
    /* Scratch of lrc_step(): the coefficients rounded, and the kernels they ask for. */
    float coef_f32[LRC_MAX_COEFS];
    void (*kernel[LRC_N_DTYPES])(const lrc_tensor *t, size_t lo, size_t n,
                                 const void *c);
} lrc_group;

typedef struct {
    lrc_tensor *tensor;
    size_t n_tensors;
    size_t total; /* elements in all tensors: set by lrc_plan_tensors() */
    lrc_group *group;
    size_t n_groups;
    int num_threads;      /* at most so many; 0: what lrc_num_threads() says */
    int keep_subnormals;  /* 0: flushed to zero, as a dead unit's state would slow the
                             step */
    size_t parallel_from; /* smallest total that is given to more than one thread */
} lrc_plan;

/* A plan's usual parallel_from.  From about 40,000 elements on a second thread pays, where
 * it is awake; here it takes a quarter to a third off the step (bench/threads.py). */
enum { LRC_PARALLEL_FROM = 65536 };

/* Number the elements of a plan's tensors: once, when their lengths are known. */
void lrc_plan_tensors(lrc_plan *plan);

/* One step.  The plan's tensors and group coefficients are set; two threads must not
 * step one plan at the same time. */
void lrc_step(lrc_plan *plan);

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
