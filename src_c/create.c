/* create.c: plans of lrcore.h, their groups and tensors, and the memory of both. */

#include <limits.h>
#include <math.h>
#include <string.h>

#include "setup.h"
#include "view.h"

/* --- memory ----------------------------------------------------------------------- */

static void *resize(const lrc_allocator *by, void *memory, size_t old, size_t bytes)
{
    return by->resize(by->context, memory, old, bytes);
}

static void give_back(const lrc_allocator *by, void *memory, size_t bytes)
{
    if (memory) resize(by, memory, bytes, 0);
}

int lrc_reserve(lrc_plan *plan, lrc_memory *memory, size_t bytes)
{
    if (bytes <= memory->bytes) return LRC_OK;
    void *at = resize(&plan->setup->allocator, memory->at, memory->bytes, bytes);
    if (!at)
        return lrc_fail(
            plan, LRC_NO_MEMORY,
            "memory: the plan's allocator was asked for %zu bytes, and gave "
            "none",
            bytes);
    memory->at = at;
    memory->bytes = bytes;
    return LRC_OK;
}

/* Memory for one more item than n, twice as much as before where it has to grow. */
static int reserve_one(lrc_plan *plan, lrc_memory *memory, size_t n, size_t size)
{
    if (memory->bytes / size > n) return LRC_OK;
    const size_t room = n < 4 ? 4 : 2 * n;
    if (n >= INT_MAX / 2 || room > SIZE_MAX / size)
        return lrc_fail(plan, LRC_NO_MEMORY, "memory: %zu items are too many", n);
    return lrc_reserve(plan, memory, room * size);
}

/* --- plans ------------------------------------------------------------------------ */

typedef struct {
    lrc_plan plan;
    lrc_setup setup;
} created;

int lrc_plan_create(lrc_plan **plan, const lrc_allocator *memory)
{
    if (!plan || !memory || !memory->resize) return LRC_BAD_ARGUMENT;
    created *it = resize(memory, NULL, 0, sizeof *it);
    if (!it) return LRC_NO_MEMORY;
    memset(it, 0, sizeof *it);
    it->plan.setup = &it->setup;
    it->setup.allocator = *memory;
    for (int i = 0; i < LRC_N_OPTIONS; i++) it->setup.option[i] = lrc_option(i)->usual;
    *plan = &it->plan;
    return LRC_OK;
}

void lrc_plan_destroy(lrc_plan *plan)
{
    if (lrc_check_plan(plan) < 0) return;
    const lrc_allocator by = plan->setup->allocator;
    const lrc_memory *const all[] = {&plan->setup->groups,  &plan->setup->tensors,
                                     &plan->setup->work,    &plan->setup->group_setups,
                                     &plan->setup->reports, &plan->setup->spans,
                                     &plan->setup->added};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        give_back(&by, all[i]->at, all[i]->bytes);
    give_back(&by, plan, sizeof(created));
}

/* --- groups ----------------------------------------------------------------------- */

lrc_group lrc_new_group(lrc_rule rule)
{
    return (lrc_group){.rule = rule, .coef = {1, 0, 1, 0}};
}

int lrc_plan_add_group(lrc_plan *plan, int rule)
{
    if (lrc_check_plan(plan) < 0) return LRC_BAD_ARGUMENT;
    if (rule < 0 || rule >= LRC_N_RULES)
        return lrc_fail(
            plan, LRC_BAD_ARGUMENT,
            "rule: expected a number from 0 to %d, as lrc_rule_id() returns "
            "for the name of a rule, found %d",
            LRC_N_RULES - 1, rule);
    const size_t n = plan->n_groups;
    lrc_setup *setup = plan->setup;
    int result = reserve_one(plan, &setup->groups, n, sizeof(lrc_group));
    if (result < 0) return result;
    plan->group = setup->groups.at;
    result = reserve_one(plan, &setup->group_setups, n, sizeof(lrc_group_setup));
    if (result < 0) return result;

    plan->group[n] = lrc_new_group((lrc_rule)rule);
    lrc_group_setup *own = lrc_setup_of(plan, (int)n);
    *own = (lrc_group_setup){.set = 0};
    for (int i = 0; lrc_hyper_of((lrc_rule)rule, i); i++)
        own->hyper[i] = lrc_usual_hyper((lrc_rule)rule, i);
    own->by_coefs = !lrc_hyper_of((lrc_rule)rule, 0);
    plan->n_groups++;
    setup->ready = 0;
    return (int)n;
}

/* --- tensors ---------------------------------------------------------------------- */

static int check_states(lrc_plan *plan, lrc_rule rule, void *const *states,
                        int n_states, size_t n, lrc_dtype dtype)
{
    const lrc_rule_info *info = lrc_rules + rule;
    if (n_states != info->n_state)
        return lrc_fail(plan, LRC_BAD_ARGUMENT,
                        "n_states: expected %d, as the rule %s has the states (%s), "
                        "found %d",
                        info->n_state, info->name, info->states, n_states);
    if (n_states > 0 && !states)
        return lrc_fail(plan, LRC_BAD_ARGUMENT,
                        "states: expected %d addresses (%s), found NULL", n_states,
                        info->states);
    for (int k = 0; k < n_states; k++) {
        const int result =
            lrc_check_array(plan, lrc_state_names[k], states[k], n, dtype);
        if (result < 0) return result;
    }
    return LRC_OK;
}

static int check_size(lrc_plan *plan, size_t n)
{
    const size_t most = PTRDIFF_MAX / sizeof(double) - plan->total;
    if (n <= most) return LRC_OK;
    return lrc_fail(plan, LRC_BAD_ARGUMENT,
                    "n: expected at most %zu elements, found %zu", most, n);
}

int lrc_plan_add_tensor(lrc_plan *plan, int group, int dtype, size_t n, void *p,
                        void *g, void *const *states, int n_states)
{
    if (lrc_check_plan(plan) < 0) return LRC_BAD_ARGUMENT;
    int result = lrc_check_group(plan, group);
    if (result < 0) return result;
    if (dtype != LRC_F32 && dtype != LRC_F64)
        return lrc_fail(plan, LRC_BAD_ARGUMENT,
                        "dtype: expected LRC_F32 (%d) or LRC_F64 (%d), found %d",
                        LRC_F32, LRC_F64, dtype);
    const lrc_dtype type = (lrc_dtype)dtype;
    if ((result = check_size(plan, n)) < 0) return result;
    if ((result = lrc_check_array(plan, "p", p, n, type)) < 0) return result;
    if ((result = lrc_check_array(plan, "g", g, n, type)) < 0) return result;
    const lrc_rule rule = plan->group[group].rule;
    result = check_states(plan, rule, states, n_states, n, type);
    if (result < 0) return result;
    lrc_setup *setup = plan->setup;
    result = reserve_one(plan, &setup->tensors, plan->n_tensors, sizeof(lrc_tensor));
    if (result < 0) return result;

    plan->tensor = setup->tensors.at;
    lrc_tensor *t = plan->tensor + plan->n_tensors;
    *t = (lrc_tensor){.p = p, .g = g, .n = n, .dtype = type, .group = (unsigned)group};
    for (int k = 0; k < n_states; k++) t->s[k] = states[k];
    if ((result = lrc_add_spans(plan)) < 0) return result;
    plan->total += n;
    setup->ready = 0;
    return (int)plan->n_tensors++;
}
