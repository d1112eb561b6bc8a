/* set.c: the setters of lrcore.h for numbers, addresses and options. */

#include <string.h>

#include "setup.h"

/* --- lists of names --------------------------------------------------------------- */

/* The index of a name in a list like "1-b1, 1-b2, eps"; -1 if it is not there. */
static int index_in(const char *list, const char *name)
{
    const size_t n = strlen(name);
    for (int i = 0; *list && n; i++) {
        const size_t length = strcspn(list, ",");
        if (length == n && strncmp(list, name, n) == 0) return i;
        list += length + strspn(list + length, ", ");
    }
    return -1;
}

/* An error that says which names there are: `listed`, a text in parentheses. */
static int no_such(lrc_plan *plan, const char *what, const char *listed,
                   const char *found)
{
    if (!found) return lrc_fail(plan, LRC_BAD_ARGUMENT, "%s: found NULL", what);
    return lrc_fail(plan, LRC_BAD_ARGUMENT, "%s: expected one of %s, found \"%.40s\"",
                    what, listed, found);
}

/* --- hyper-parameters ------------------------------------------------------------- */

/* The index of a group's hyper-parameter, or an error. */
static int find_hyper(lrc_plan *plan, int group, const char *name)
{
    const int result = lrc_check_group(plan, group);
    if (result < 0) return result;
    const lrc_rule rule = plan->group[group].rule;
    const char *of = lrc_rules[rule].name;
    if (!lrc_hyper_of(rule, 0))
        return lrc_fail(plan, LRC_REFUSED,
                        "group %d: the rule %s takes coefficients only; set them by "
                        "lrc_plan_set_coef()",
                        group, of);
    if (lrc_setup_of(plan, group)->by_coefs)
        return lrc_fail(plan, LRC_REFUSED,
                        "group %d: lrc_plan_set_coef() has been called for it, so that "
                        "it has no hyper-parameters; add another group for these",
                        group);
    char listed[200] = "";
    for (int i = 0; lrc_hyper_of(rule, i); i++) {
        const char *own = lrc_hyper_of(rule, i)->name;
        if (name && strcmp(name, own) == 0) return i;
        if (i) strcat(listed, ", ");
        strcat(listed, own);
    }
    return no_such(plan, "name", listed, name);
}

int lrc_plan_set_hyper(lrc_plan *plan, int group, const char *name, double value)
{
    if (lrc_check_plan(plan) < 0) return LRC_BAD_ARGUMENT;
    const int i = find_hyper(plan, group, name);
    if (i < 0) return i;
    const int result = lrc_check(plan, lrc_hyper_of(plan->group[group].rule, i), value);
    if (result == LRC_OK) lrc_setup_of(plan, group)->hyper[i] = value;
    return result;
}

int lrc_plan_get_hyper(lrc_plan *plan, int group, const char *name, double *value)
{
    if (lrc_check_plan(plan) < 0) return LRC_BAD_ARGUMENT;
    const int i = find_hyper(plan, group, name);
    if (i < 0) return i;
    if (!value) return lrc_fail(plan, LRC_BAD_ARGUMENT, "value: found NULL");
    *value = lrc_setup_of(plan, group)->hyper[i];
    return LRC_OK;
}

/* --- coefficients ----------------------------------------------------------------- */

static const char drivers[] = "gscale, l2, decay, lr";

/* A group's coefficient; *index: in `coef`, or past it if it is none of these. */
static double *find_coef(lrc_plan *plan, int group, const char *name, int *index)
{
    if (lrc_check_group(plan, group) < 0) return NULL;
    lrc_group *g = plan->group + group;
    const char *own = lrc_rules[g->rule].coefs;
    *index = LRC_MAX_COEFS;
    if (name && strcmp(name, "clip_value") == 0) return &g->clip_value;
    if (name && strcmp(name, "average") == 0) return &g->average[0].weight;
    *index = name ? index_in(drivers, name) : -1;
    if (*index < 0 && name && (*index = index_in(own, name)) >= 0)
        *index += LRC_RULE_COEFS;
    if (*index >= 0) return g->coef + *index;
    char listed[200];
    strcpy(listed, drivers);
    strcat(listed, ", clip_value, average");
    if (*own) strcat(strcat(listed, ", "), own);
    no_such(plan, "name", listed, name);
    return NULL;
}

int lrc_plan_set_coef(lrc_plan *plan, int group, const char *name, double value)
{
    static const lrc_named clip = {"clip_value", LRC_NONNEGATIVE, 0};
    if (lrc_check_plan(plan) < 0) return LRC_BAD_ARGUMENT;
    int index = 0;
    double *coef = find_coef(plan, group, name, &index);
    if (!coef) return LRC_BAD_ARGUMENT;
    lrc_group *g = plan->group + group;
    const lrc_named any = {name, LRC_FINITE, 0};
    const int result = lrc_check(plan, coef == &g->clip_value ? &clip : &any, value);
    if (result < 0) return result;
    lrc_group_setup *own = lrc_setup_of(plan, group);
    if (!own->by_coefs) {
        *g = lrc_new_group(g->rule);
        own->by_coefs = 1;
        plan->setup->ready = 0;
    }
    const unsigned bit = index < LRC_MAX_COEFS ? 1u << index : 0;
    if (bit & ~own->set)
        plan->setup->ready = 0; /* it may have been the last to be set */
    own->set |= bit;
    *coef = value;
    return LRC_OK;
}

int lrc_plan_get_coef(lrc_plan *plan, int group, const char *name, double *value)
{
    if (lrc_check_plan(plan) < 0) return LRC_BAD_ARGUMENT;
    int index = 0;
    const double *coef = find_coef(plan, group, name, &index);
    if (!coef) return LRC_BAD_ARGUMENT;
    if (!value) return lrc_fail(plan, LRC_BAD_ARGUMENT, "value: found NULL");
    *value = *coef;
    return LRC_OK;
}

/* --- options ---------------------------------------------------------------------- */

static const lrc_named options[LRC_N_OPTIONS] = {
    [LRC_GRAD_SCALE] = {"grad_scale", LRC_POSITIVE, 1},
    [LRC_CLIP_NORM] = {"clip_norm", LRC_NONNEGATIVE, 0},
    [LRC_CLIP_EPS] = {"clip_eps", LRC_NONNEGATIVE, 0},
    [LRC_SKIP_NONFINITE] = {"skip_nonfinite", LRC_FLAG, 0},
    [LRC_ZERO_GRADS] = {"zero_grads", LRC_FLAG, 0},
    [LRC_REPORT] = {"report", LRC_FLAG, 0},
    [LRC_NUM_THREADS] = {"num_threads", LRC_COUNT, 0},
    [LRC_FROM_ELEMENTS] = {"parallel_from", LRC_COUNT, 0},
    [LRC_KEEP_SUBNORMALS] = {"keep_subnormals", LRC_FLAG, 0},
};

const lrc_named *lrc_option(int i) { return options + i; }

static int find_option(lrc_plan *plan, const char *name)
{
    char listed[200] = "";
    for (int i = 0; i < LRC_N_OPTIONS; i++) {
        if (name && strcmp(name, options[i].name) == 0) return i;
        if (i) strcat(listed, ", ");
        strcat(listed, options[i].name);
    }
    return no_such(plan, "name", listed, name);
}

static void apply(lrc_plan *plan)
{
    const double *option = plan->setup->option;
    plan->grad_scale = option[LRC_GRAD_SCALE];
    plan->clip_norm = option[LRC_CLIP_NORM];
    plan->clip_eps = option[LRC_CLIP_EPS];
    plan->skip_nonfinite = (int)option[LRC_SKIP_NONFINITE];
    plan->zero_grads = (int)option[LRC_ZERO_GRADS];
    plan->num_threads = (int)option[LRC_NUM_THREADS];
    plan->parallel_from = (size_t)option[LRC_FROM_ELEMENTS];
    plan->keep_subnormals = (int)option[LRC_KEEP_SUBNORMALS];
}

int lrc_plan_set_option(lrc_plan *plan, const char *name, double value)
{
    if (lrc_check_plan(plan) < 0) return LRC_BAD_ARGUMENT;
    const int i = find_option(plan, name);
    if (i < 0) return i;
    const int result = lrc_check(plan, options + i, value);
    if (result < 0) return result;
    plan->setup->option[i] = value;
    apply(plan);
    if (i == LRC_ZERO_GRADS)
        plan->setup->ready = 0; /* gradients may not overlap then */
    return LRC_OK;
}

int lrc_plan_get_option(lrc_plan *plan, const char *name, double *value)
{
    if (lrc_check_plan(plan) < 0) return LRC_BAD_ARGUMENT;
    const int i = find_option(plan, name);
    if (i < 0) return i;
    if (!value) return lrc_fail(plan, LRC_BAD_ARGUMENT, "value: found NULL");
    *value = plan->setup->option[i];
    return LRC_OK;
}

/* --- addresses and steps ---------------------------------------------------------- */

int lrc_plan_set_gradient(lrc_plan *plan, int tensor, void *g)
{
    if (lrc_check_plan(plan) < 0) return LRC_BAD_ARGUMENT;
    int result = lrc_check_tensor(plan, tensor);
    if (result < 0) return result;
    lrc_tensor *t = plan->tensor + tensor;
    if ((result = lrc_check_array(plan, "g", g, t->n, t->dtype)) < 0) return result;
    result = lrc_check_gradient(plan, (size_t)tensor, g);
    if (result < 0) return result;
    if (plan->zero_grads && t->g != g)
        plan->setup->ready = 0; /* it may overlap another gradient */
    t->g = g;
    return LRC_OK;
}

int lrc_plan_set_average(lrc_plan *plan, int tensor, void *a)
{
    if (lrc_check_plan(plan) < 0) return LRC_BAD_ARGUMENT;
    int result = lrc_check_tensor(plan, tensor);
    if (result < 0) return result;
    lrc_tensor *t = plan->tensor + tensor;
    if (a && (result = lrc_check_array(plan, "a", a, t->n, t->dtype)) < 0)
        return result;
    t->a[0] = a;
    plan->setup->ready = 0;
    return LRC_OK;
}

int lrc_plan_set_steps(lrc_plan *plan, uint64_t steps)
{
    if (lrc_check_plan(plan) < 0) return LRC_BAD_ARGUMENT;
    /* The number of the next step is folded as a double. */
    if (steps >= (uint64_t)1 << 53)
        return lrc_fail(plan, LRC_BAD_ARGUMENT,
                        "steps: expected a number below 2^53, found %llu",
                        (unsigned long long)steps);
    plan->setup->steps = steps;
    return LRC_OK;
}

uint64_t lrc_plan_steps(const lrc_plan *plan)
{
    return lrc_check_plan(plan) < 0 ? 0 : plan->setup->steps;
}
