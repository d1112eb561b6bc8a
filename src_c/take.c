/* take.c: the functions of lrcore.h that prepare a plan, step by it and report. */

#include <float.h>
#include <math.h>

#include "run.h"
#include "setup.h"

/* --- preparing -------------------------------------------------------------------- */

/* LRC_OK if all coefficients without a default are set. */
static int check_coefs(lrc_plan *plan, int group)
{
    enum { LR = LRC_RULE_COEFS - 1 };
    const lrc_rule_info *rule = lrc_rules + plan->group[group].rule;
    const lrc_group_setup *own = lrc_setup_of(plan, group);
    if (!own->by_coefs) return LRC_OK;
    if (!(own->set & 1u << LR))
        return lrc_fail(plan, LRC_REFUSED,
                        "group %d: its coefficient lr is not set; see "
                        "lrc_plan_set_coef()",
                        group);
    const char *name = rule->coefs;
    for (int k = LRC_RULE_COEFS; *name; k++) {
        const size_t length = strcspn(name, ",");
        if (!(own->set & 1u << k))
            return lrc_fail(plan, LRC_REFUSED,
                            "group %d: the coefficient %.*s of the rule %s is not set; "
                            "see lrc_plan_set_coef()",
                            group, (int)length, name, rule->name);
        name += length + strspn(name + length, ", ");
    }
    return LRC_OK;
}

static void mark_averaged(lrc_plan *plan)
{
    for (size_t i = 0; i < plan->n_groups; i++)
        lrc_setup_of(plan, (int)i)->averaged = 0;
    for (size_t i = 0; i < plan->n_tensors; i++)
        if (plan->tensor[i].a[0])
            lrc_setup_of(plan, (int)plan->tensor[i].group)->averaged = 1;
}

int lrc_plan_prepare(lrc_plan *plan)
{
    if (lrc_check_plan(plan) < 0) return LRC_BAD_ARGUMENT;
    lrc_setup *setup = plan->setup;
    if (setup->ready) return LRC_OK;
    int result = LRC_OK;
    for (size_t i = 0; i < plan->n_groups; i++)
        if ((result = check_coefs(plan, (int)i)) < 0) return result;
    if ((result = lrc_check_spans(plan)) < 0) return result;
    mark_averaged(plan);
    const size_t bytes = lrc_plan_tensors(plan);
    /* A plan without tensors has work, too: otherwise a step would be refused. */
    result = lrc_reserve(plan, &setup->work, bytes > 0 ? bytes : 1);
    if (result < 0) return result;
    plan->work = setup->work.at;
    result = lrc_reserve(plan, &setup->reports, plan->n_tensors * sizeof(lrc_report));
    if (result < 0) return result;
    setup->measured = 0;
    setup->ready = 1;
    return LRC_OK;
}

/* --- stepping --------------------------------------------------------------------- */

/* Let the reports hold nothing. */
static void clear_reports(lrc_plan *plan)
{
    for (size_t i = 0; i < plan->n_tensors; i++)
        plan->report[i] =
            (lrc_report){.g.mid = NAN, .clipped.mid = NAN, .p.mid = NAN, .u.mid = NAN};
}

/* Make the coefficients of the next step.  It is a pass, as kernels compute in the same
 * mode: to set the mode once more takes 60 ns (Sapphire Rapids). */
static void fold(lrc_run *run)
{
    lrc_plan *plan = run->plan;
    for (size_t i = 0; i < plan->n_groups; i++) {
        const lrc_group_setup *own = lrc_setup_of(plan, (int)i);
        lrc_group *group = plan->group + i;
        if (own->by_coefs) continue;
        lrc_fold(group, own->hyper, (double)(plan->setup->steps + 1));
        /* A step takes another way where there is an average: 70 ns more. */
        if (!own->averaged) group->average[0].weight = 0;
        if (!(fabs(group->coef[2]) <= DBL_MAX && fabs(group->coef[3]) <= DBL_MAX))
            run->result =
                lrc_fail(plan, LRC_REFUSED,
                         "group %zu: lr and weight_decay give numbers that are "
                         "not finite; choose smaller ones",
                         i);
    }
    if (plan->report && run->result == LRC_TAKEN) clear_reports(plan);
}

const lrc_pass lrc_fold_pass = {LRC_FOLDS, LRC_TAKEN, NULL, fold, 0, 0};

static int begin(lrc_plan *plan)
{
    if (lrc_check_plan(plan) < 0) return LRC_BAD_ARGUMENT;
    return plan->setup->ready ? LRC_OK : lrc_plan_prepare(plan);
}

int lrc_plan_step(lrc_plan *plan)
{
    int result = begin(plan);
    if (result < 0) return result;
    const int reports = plan->setup->option[LRC_REPORT] != 0;
    if (reports) plan->report = plan->setup->reports.at;
    result = lrc_step(plan);
    plan->report = NULL;
    if (result >= 0 && reports) plan->setup->measured = 1;
    if (result == LRC_TAKEN) plan->setup->steps++;
    return result;
}

int lrc_plan_measure(lrc_plan *plan)
{
    int result = begin(plan);
    if (result < 0) return result;
    plan->report = plan->setup->reports.at;
    result = lrc_measure(plan);
    plan->report = NULL;
    if (result >= 0) plan->setup->measured = 1;
    return result;
}

/* --- reports ---------------------------------------------------------------------- */

int lrc_plan_norms(lrc_plan *plan, int tensor, lrc_norms *norms)
{
    if (lrc_check_plan(plan) < 0) return LRC_BAD_ARGUMENT;
    if (!norms) return lrc_fail(plan, LRC_BAD_ARGUMENT, "norms: found NULL");
    if (tensor != LRC_ALL) {
        const int result = lrc_check_tensor(plan, tensor);
        if (result < 0) return result;
    }
    if (!plan->setup->ready || !plan->setup->measured)
        return lrc_fail(plan, LRC_REFUSED,
                        "norms: nothing was measured since the plan was made or "
                        "changed; set the option \"report\" before a step, or call "
                        "lrc_plan_measure()");
    const size_t first = tensor == LRC_ALL ? 0 : (size_t)tensor;
    const size_t end = tensor == LRC_ALL ? plan->n_tensors : first + 1;
    const lrc_report *found = plan->setup->reports.at;
    lrc_report all = {.nonfinite = 0};
    for (size_t i = first; i < end; i++) {
        lrc_add_squares(&all.g, &found[i].g);
        lrc_add_squares(&all.clipped, &found[i].clipped);
        lrc_add_squares(&all.p, &found[i].p);
        lrc_add_squares(&all.u, &found[i].u);
        all.nonfinite += found[i].nonfinite;
    }
    *norms = (lrc_norms){lrc_norm(&all.g), lrc_norm(&all.clipped), lrc_norm(&all.p),
                         lrc_norm(&all.u), all.nonfinite};
    return LRC_OK;
}
