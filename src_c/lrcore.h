/* lrcore.h: the C interface of lrcore, fused in-place optimizer steps.
 *
 *     lrc_plan *plan;
 *     lrc_plan_create(&plan, lrc_heap());
 *     int group = lrc_plan_add_group(plan, lrc_rule_id("adam"));
 *     lrc_plan_set_hyper(plan, group, "lr", 1e-3);
 *     void *states[] = {m, v};
 *     lrc_plan_add_tensor(plan, group, LRC_F32, n, p, g, states, 2);
 *     while (training) {
 *         ... write the gradient to g ...
 *         if (lrc_plan_step(plan) < 0) puts(lrc_plan_error(plan));
 *     }
 *     lrc_plan_destroy(plan);
 *
 * docs/reference/c_api.md describes each function, its errors, and what may change in a
 * release.
 *
 * A step computes, for each element of each tensor, in the tensor's own precision,
 *
 *     g' = gscale g + l2 p;   u = rule(g', states);   p = decay p - lr u
 *
 * Before the rule, gradients are scaled and clipped, in this order:
 *
 *     g = grad_scale g
 *     g = max(-clip_value, min(clip_value, g))
 *     g = g min(1, clip_norm / (|g| + clip_eps))    |g| of all tensors of the plan
 *
 * and after it, an average of p is updated, where a tensor has one:
 *
 *     a = p in the first step;   then a = a + (1 - ema_decay) (p - a)
 *
 * Results are the same bits for every instruction set, number of threads, alignment and
 * floating-point mode of the caller, and those of lrcore's optimizers in Python.
 *
 * Threads.  A function of a plan may be called by one thread at a time for that plan;
 * different plans may be used at the same time.  All other functions may be called by
 * any thread at any time.
 *
 * Errors.  A function that returns int returns a negative number if it fails, and has
 * then written nothing but the text of lrc_plan_error().  What cannot be checked is the
 * caller's promise: that addresses are those of as many elements as was said, and stay
 * valid until the plan is destroyed or given others.
 *
 * Nothing here prints or ends the process.  Memory is taken by the plan's allocator,
 * and only by functions that say so; threads take theirs from the system. */

#ifndef LRCORE_H
#define LRCORE_H

#include <stddef.h>
#include <stdint.h>

/* Windows: define LRC_EXPORTS to build a DLL of lrcore, LRC_IMPORTS to use one. */
#if defined(LRC_API)
/* lrcore_import.h has defined it */
#elif defined(_WIN32) && defined(LRC_EXPORTS)
#define LRC_API __declspec(dllexport)
#elif defined(_WIN32) && defined(LRC_IMPORTS)
#define LRC_API __declspec(dllimport)
#elif defined(__GNUC__) && !defined(_WIN32)
#define LRC_API __attribute__((visibility("default")))
#else
#define LRC_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* --- version and errors ----------------------------------------------------------- */

/* The version of this header: 10000 major + 100 minor + patch.  lrc_version() is that
 * of the library. */
#define LRC_VERSION 100
LRC_API int lrc_version(void);

/* What functions return.  LRC_REFUSED: the plan cannot step as it is, or not be changed
 * so. */
enum {
    LRC_OK = 0,
    LRC_SKIPPED = 0, /* the step was not taken: a gradient is not finite */
    LRC_TAKEN = 1,
    LRC_REFUSED = -1,
    LRC_BAD_ARGUMENT = -2,
    LRC_NO_MEMORY = -3
};

/* What a number that a function has returned means; the text is constant. */
LRC_API const char *lrc_error_text(int code);

/* --- rules ------------------------------------------------------------------------ */

/* A rule's number and name never change; new rules get the next numbers.  lrc_rule_id()
 * returns LRC_BAD_ARGUMENT if there is none of that name, and the others NULL or
 * LRC_BAD_ARGUMENT if there is none of that number.  Names are separated by ", ".
 * "v >= 0" is the state v, which no step makes negative.  lrc_rule_hyper() returns the
 * name of hyper-parameter i, from 0, or NULL past the last; a rule of which 0 is NULL
 * takes coefficients only. */
LRC_API int lrc_rule_count(void);
LRC_API int lrc_rule_id(const char *name);
LRC_API const char *lrc_rule_name(int rule);
LRC_API int lrc_rule_n_states(int rule);
LRC_API const char *lrc_rule_states(int rule);
LRC_API const char *lrc_rule_coefs(int rule);
LRC_API const char *lrc_rule_hyper(int rule, int i);

/* --- plans ------------------------------------------------------------------------ */

typedef struct lrc_plan lrc_plan;

/* Takes, resizes and gives back memory, as realloc() does: `memory` is NULL or what it
 * has returned for `old` bytes; with 0 `bytes` it gives the memory back.  Returns NULL
 * if there is none; the old memory stays then.  Addresses are aligned for any type. */
typedef struct {
    void *(*resize)(void *context, void *memory, size_t old, size_t bytes);
    void *context;
} lrc_allocator;

/* That of realloc() and free(). */
LRC_API const lrc_allocator *lrc_heap(void);

/* Make an empty plan, whose memory comes from a copy of the allocator; it takes memory.
 * lrc_plan_destroy() gives all memory back, and does nothing with NULL. */
LRC_API int lrc_plan_create(lrc_plan **plan, const lrc_allocator *memory);
LRC_API void lrc_plan_destroy(lrc_plan *plan);

/* Why the last function of the plan that failed has failed: the argument, what was
 * found, and how to mend it; "" if none has.  The text lives until the plan's next
 * call. */
LRC_API const char *lrc_plan_error(const lrc_plan *plan);

/* Add a group, which is the tensors with the same rule and hyper-parameters, or a
 * tensor of n elements to a group; take memory.  Return its number, from 0.
 *
 * p, g, states: the parameters, their gradients and the rule's states, as many and in
 * that order as lrc_rule_states() names; all of the type, with n elements each, aligned
 * to the type, and disjoint (gradients may overlap each other unless zero_grads is
 * set).  A tensor that overlaps parameters or states is not added; an overlap with a
 * gradient or an average is told by the next step.  States begin as 0, or as
 * docs/reference/c_api.md says. */
LRC_API int lrc_plan_add_group(lrc_plan *plan, int rule);
typedef enum { LRC_F32, LRC_F64 } lrc_dtype;
LRC_API int lrc_plan_add_tensor(lrc_plan *plan, int group, int dtype, size_t n, void *p,
                                void *g, void *const *states, int n_states);

/* Let a tensor have its gradient elsewhere; or let it have an average, NULL: none. */
LRC_API int lrc_plan_set_gradient(lrc_plan *plan, int tensor, void *g);
LRC_API int lrc_plan_set_average(lrc_plan *plan, int tensor, void *a);

/* A group's hyper-parameters, by name:
 *
 *     lr, weight_decay (p is multiplied by 1 - lr weight_decay), l2 (added to g: l2 p),
 *     maximize (0 or 1), clip_value (0: none), ema_decay, and the rule's own
 *
 * Each step folds them, and the number of the step, into the coefficients of the rule.
 * They begin as the defaults of the optimizer in Python. */
LRC_API int lrc_plan_set_hyper(lrc_plan *plan, int group, const char *name,
                               double value);
LRC_API int lrc_plan_get_hyper(lrc_plan *plan, int group, const char *name,
                               double *value);

/* A group's coefficients, by name, instead of hyper-parameters: once one is set, the
 * group has all of them from its caller, and each must be set before a step.
 *
 *     gscale (1 unless set), l2 (0), decay (1), lr, clip_value (0: none), average (the
 *     weight of p in the average; 0 unless set), and lrc_rule_coefs() */
LRC_API int lrc_plan_set_coef(lrc_plan *plan, int group, const char *name,
                              double value);
LRC_API int lrc_plan_get_coef(lrc_plan *plan, int group, const char *name,
                              double *value);

/* The plan's options, by name:
 *
 *     grad_scale (1), clip_norm (0: none), clip_eps (0), skip_nonfinite (0), zero_grads
 *     (0), report (0), num_threads (0: lrc_num_threads()), parallel_from (elements from
 *     which several threads are used; 0: the default), keep_subnormals (0) */
LRC_API int lrc_plan_set_option(lrc_plan *plan, const char *name, double value);
LRC_API int lrc_plan_get_option(lrc_plan *plan, const char *name, double *value);

/* Steps taken.  They are set when a run is resumed. */
LRC_API int lrc_plan_set_steps(lrc_plan *plan, uint64_t steps);
LRC_API uint64_t lrc_plan_steps(const lrc_plan *plan);

/* Check the plan, and take the memory that a step needs.  The first step after
 * something was added, and after addresses were changed, does this by itself. */
LRC_API int lrc_plan_prepare(lrc_plan *plan);

/* Take a step: LRC_TAKEN, LRC_SKIPPED or an error, after which nothing is changed (but
 * gradients that a skipped step zeroes).  lrc_plan_measure() reads gradients as a step
 * does, and writes the norms of lrc_plan_norms() only. */
LRC_API int lrc_plan_step(lrc_plan *plan);
LRC_API int lrc_plan_measure(lrc_plan *plan);

/* Norms of a tensor, or of all (LRC_ALL), in the last lrc_plan_measure(), or step with
 * the option `report`: of grad_scale g, of the clipped gradient, of the new p, and of
 * the change of p.  If no step was taken, p has the norm NaN and its change 0.
 * nonfinite: elements of g that are infinite or NaN. */
typedef struct {
    double grad, clipped, param, update;
    uint64_t nonfinite;
} lrc_norms;
enum { LRC_ALL = -1 };
LRC_API int lrc_plan_norms(lrc_plan *plan, int tensor, lrc_norms *norms);

/* --- instruction sets and threads: settings of the whole process ------------------ */

/* The instruction sets of this build, best last.  lrc_isa() names the one in use: that
 * of the environment variable LRCORE_ISA if it runs here, otherwise the best that runs.
 * lrc_set_isa() chooses another and returns 0, or -1 if this build or processor does
 * not have it; lrc_set_isa(NULL) returns to the default. */
LRC_API size_t lrc_isa_count(void);
LRC_API const char *lrc_isa_name(size_t i);
LRC_API int lrc_isa_runs(size_t i);
LRC_API const char *lrc_isa(void);
LRC_API int lrc_set_isa(const char *name);

/* Threads.
 *
 * Two things make them.  The pool makes its own in the first step that needs them, with
 * all signals but faults blocked and a stack of 1 MiB, and ends them at exit or when
 * the library is unloaded; if the system refuses a thread, steps go on with fewer.
 * OpenMP would end the process then.  So lrcore tries first whether its threads can be
 * had; if not, or if their stacks are below 256 KiB (OMP_STACKSIZE), the pool does the
 * work.
 *
 * A child process has none of the threads.  The pool makes its own there, but libgomp
 * would wait for them forever.  So before each fork of a process that has stepped by
 * several threads of OpenMP, lrcore ends them with
 * omp_pause_resource_all(omp_pause_soft); the next parallel region, in parent and
 * child, makes new ones (0.5 ms).  The host program loses the threadprivate data of the
 * ended threads, and nothing else. */

/* What runs a step in several threads: "pool", lrcore's own threads; "openmp", if this
 * build has it; or "serial", which makes none.  lrc_threading() names the one in use:
 * that of the environment variable LRCORE_THREADING, otherwise the first.
 * lrc_set_threading() chooses another and returns 0, or -1 if this build does not have
 * it; lrc_set_threading(NULL) returns to the default.  All give the same bits. */
LRC_API size_t lrc_threading_count(void);
LRC_API const char *lrc_threading_name(size_t i);
LRC_API const char *lrc_threading(void);
LRC_API int lrc_set_threading(const char *name);

/* The number of threads of a step.  lrc_set_num_threads(0) returns to the default: the
 * number of OpenMP (OMP_NUM_THREADS, OMP_THREAD_LIMIT, threadpoolctl), if the build has
 * it, or fewer if the processor affinity or lrc_limit_threads() allow fewer
 * (lrc_limit_threads(0): no limit).
 * lrc_threads_refused() tells whether the system has refused to make a thread for the
 * pool: steps go on with those that it has, and the process asks for no more.  It is 0
 * where only OpenMP's threads are not to be had, and the pool has all that it asked
 * for: then no step has fewer. */
LRC_API int lrc_num_threads(void);
LRC_API void lrc_set_num_threads(int n);
LRC_API int lrc_num_threads_set(void); /* by lrc_set_num_threads(); 0: the default */
LRC_API void lrc_limit_threads(int n);
LRC_API int lrc_threads_refused(void);
LRC_API int lrc_has_openmp(void);

#ifdef __cplusplus
}
#endif
#endif
