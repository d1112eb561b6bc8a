/* setup.h: what a plan of lrc_plan_create() keeps besides the structs of plan.h: names,
 * hyper-parameters, memory, and the text of its last error. */

#ifndef LRC_SETUP_H
#define LRC_SETUP_H

#include "plan.h"
#include "portable.h"

/* --- numbers with a name: refuse.c ------------------------------------------------ */

typedef enum {
    LRC_FINITE,
    LRC_NONNEGATIVE,
    LRC_POSITIVE,
    LRC_FRACTION,
    LRC_FLAG,
    LRC_COUNT
} lrc_domain;

/* A hyper-parameter or an option, and its default. */
typedef struct {
    const char *name;
    lrc_domain domain;
    double usual;
} lrc_named;

/* Keep the text of an error, made as by printf(), and return its code. */
FORMATS(3, 4) int lrc_fail(lrc_plan *plan, int code, const char *format, ...);

/* LRC_OK if the value is in the domain, otherwise an error that names it. */
int lrc_check(lrc_plan *plan, const lrc_named *what, double value);

/* LRC_OK if it is a plan of lrc_plan_create(). */
int lrc_check_plan(const lrc_plan *plan);

/* LRC_OK if there is a group, or a tensor, of this number. */
int lrc_check_group(lrc_plan *plan, int group);
int lrc_check_tensor(lrc_plan *plan, int tensor);

/* What errors call the states of a tensor. */
extern const char *const lrc_state_names[LRC_MAX_STATES];

/* LRC_OK if n elements of a tensor can be at this address. */
int lrc_check_array(lrc_plan *plan, const char *what, const void *array, size_t n,
                    lrc_dtype dtype);

/* --- hyper-parameters: fold.c ----------------------------------------------------- */

/* Those of every rule; the rule's own follow. */
enum {
    LRC_LR,
    LRC_WEIGHT_DECAY,
    LRC_L2,
    LRC_MAXIMIZE,
    LRC_CLIP_VALUE,
    LRC_EMA_DECAY,
    LRC_OWN_HYPER,
    LRC_MAX_HYPERS = LRC_OWN_HYPER + 4
};

/* Hyper-parameter i of a rule; NULL past the last, and if the rule takes none.  And its
 * default, as that of lr is the rule's. */
const lrc_named *lrc_hyper_of(lrc_rule rule, int i);
double lrc_usual_hyper(lrc_rule rule, int i);

/* Make a group's coefficients and the weight of its averages for step t, from 1, of its
 * hyper-parameters. */
void lrc_fold(lrc_group *group, const double *hyper, double t);

/* --- the setup -------------------------------------------------------------------- */

typedef struct {
    double hyper[LRC_MAX_HYPERS];
    int by_coefs; /* whether the caller sets coefficients, not hyper-parameters */
    unsigned set; /* bit k: coefficient k was set */
    int averaged; /* whether a tensor has an average; by lrc_plan_prepare() */
} lrc_group_setup;

/* The addresses [begin, end) of an array. */
typedef struct {
    uintptr_t begin, end;
    size_t tensor;
    const char *what; /* "p", "states[0]" and so on */
} lrc_span;

enum {
    LRC_GRAD_SCALE,
    LRC_CLIP_NORM,
    LRC_CLIP_EPS,
    LRC_SKIP_NONFINITE,
    LRC_ZERO_GRADS,
    LRC_REPORT,
    LRC_NUM_THREADS,
    LRC_FROM_ELEMENTS,
    LRC_KEEP_SUBNORMALS,
    LRC_N_OPTIONS
};

const lrc_named *lrc_option(int i); /* set.c */

/* Memory of the allocator. */
typedef struct {
    void *at;
    size_t bytes;
} lrc_memory;

typedef struct lrc_setup {
    lrc_allocator allocator;
    lrc_memory groups, tensors, group_setups, work, reports, spans, added;
    double option[LRC_N_OPTIONS];
    uint64_t steps;
    size_t n_spans; /* of the parameters, states and averages, sorted by address */
    size_t n_added; /* spans of the parameters and states, in runs: see spans.c */
    int ready;      /* whether lrc_plan_prepare() has nothing to do */
    int measured;   /* whether the reports hold something */
    char error[512];
} lrc_setup;

/* create.c: a group whose coefficients do nothing: gscale = decay = 1, l2 = lr = 0. */
lrc_group lrc_new_group(lrc_rule rule);

/* create.c: let memory have at least this many bytes; what it holds stays. */
int lrc_reserve(lrc_plan *plan, lrc_memory *memory, size_t bytes);

static inline lrc_group_setup *lrc_setup_of(const lrc_plan *plan, int group)
{
    return (lrc_group_setup *)plan->setup->group_setups.at + group;
}

/* spans.c: LRC_OK if no two arrays of the plan overlap; keeps where they are.  And the
 * same of a tensor's new gradient and the arrays kept, but for other gradients; and of
 * the arrays of the tensor past the last, which is to be added. */
int lrc_check_spans(lrc_plan *plan);
int lrc_check_gradient(lrc_plan *plan, size_t tensor, const void *g);
int lrc_add_spans(lrc_plan *plan);

#endif
