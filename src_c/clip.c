/* clip.c: measure gradients, and make the factors that clip them; whether one of them is
 * not finite. */

#include <float.h>
#include <math.h>

#include "run.h"

lrc_scaled lrc_clip_factor(lrc_scaled norm, double most)
{
    if (!(lrc_value(norm) > most) || !isfinite(norm.x)) return (lrc_scaled){1, 0};
    return (lrc_scaled){most / norm.x, -norm.e};
}

double lrc_agc_most(const lrc_group *group, lrc_scaled p)
{
    const double norm = lrc_value(p);
    return group->agc * (norm > group->agc_eps ? norm : group->agc_eps);
}

/* --- measure ---------------------------------------------------------------------- */

static void measure_share(lrc_run *run, const lrc_team *team)
{
    lrc_share mine = lrc_share_of(run->plan, team);
    lrc_scratch made;
    for (lrc_view v; lrc_next(&mine, 0, &v);) {
        const lrc_dtype dtype = v.tensor->dtype;
        const lrc_table *table = run->table[dtype];
        const lrc_group *group = lrc_group_of(run, &v);
        lrc_measured *sums = run->strip + lrc_strip_of(&v);
        size_t ignored;

        const void *g = lrc_gathered(run, &v, &made);
        *sums = (lrc_measured){.nonfinite = 0};
        sums->g = sums->x = lrc_squares_of(table, dtype, g, v.n, &sums->nonfinite);
        if (group->clip_value != 0) {
            g = lrc_clamped(run, &v, g, &made);
            sums->x = lrc_squares_of(table, dtype, g, v.n, &ignored);
        }
        if (group->agc != 0 && !lrc_has_units(run, v.tensor))
            sums->p = lrc_squares_of(table, dtype, v.p, v.n, &ignored);
    }
    lrc_measure_units(run, team);
}

/* The factor of a tensor by its own norms; left: the sum of squares that it leaves. */
static lrc_scaled clip_tensor(lrc_run *run, const lrc_tensor *t,
                              const lrc_measured *sums, lrc_squares *left)
{
    const lrc_group *group = run->plan->group + t->group;
    const lrc_scaled scale = {fabs(run->numbers[t->group].factor.x), 0};
    const lrc_squares g = lrc_times_squared(scale, &sums->x);
    const lrc_scaled norm = lrc_root(&g);
    lrc_scaled f = {1, 0};

    if (group->clip_norm != 0) f = lrc_clip_factor(norm, group->clip_norm);
    if (group->agc != 0 && !lrc_has_units(run, t)) {
        const double most = lrc_agc_most(group, lrc_root(&sums->p));
        f = lrc_times(f, lrc_clip_factor(lrc_times(f, norm), most));
    }
    *left = lrc_times_squared(f, &g);
    if (lrc_has_units(run, t))
        *left = lrc_clip_units(run, t, lrc_times(f, scale), left);
    return f;
}

static void report_gradient(const lrc_run *run, size_t i, const lrc_measured *sums,
                            const lrc_squares *left)
{
    lrc_report *report = run->plan->report + i;
    report->g = lrc_times_squared((lrc_scaled){lrc_grad_scale(run), 0}, &sums->g);
    report->clipped = *left;
    report->u = (lrc_squares){0}; /* p stays */
    report->nonfinite = sums->nonfinite;
}

/* The factor of all gradients, by the norm of all. */
static lrc_scaled clip_all(const lrc_plan *plan, const lrc_squares *total)
{
    lrc_scaled norm = lrc_root(total);
    if (plan->clip_norm == 0) return (lrc_scaled){1, 0};
    if (norm.e <= 0) norm = (lrc_scaled){lrc_value(norm) + plan->clip_eps, 0};
    return lrc_clip_factor(norm, plan->clip_norm);
}

/* Make the factors by which gradients are clipped, and decide whether the step is taken. */
static void measure_meet(lrc_run *run)
{
    lrc_plan *plan = run->plan;
    lrc_squares total = {0};
    double longest[LRC_N_DTYPES] = {0};
    size_t nonfinite = 0;

    for (size_t i = 0; i < plan->n_tensors; i++) {
        const lrc_tensor *t = plan->tensor + i;
        const lrc_measured sums = lrc_sum_up(run, t);
        lrc_squares left;
        const lrc_scaled f = clip_tensor(run, t, &sums, &left);
        lrc_scaled *factor = &run->numbers[t->group].factor;
        *factor = lrc_times(*factor, f); /* 1, where the group has more tensors */
        lrc_add_squares(&total, &left);
        longest[t->dtype] = fmax(longest[t->dtype], lrc_norm(&left));
        nonfinite += sums.nonfinite;
        if (plan->report) report_gradient(run, i, &sums, &left);
    }
    const lrc_scaled f = clip_all(plan, &total);
    for (size_t i = 0; i < plan->n_groups; i++)
        run->numbers[i].factor = lrc_times(run->numbers[i].factor, f);
    for (size_t i = 0; plan->report && i < plan->n_tensors; i++)
        plan->report[i].clipped = lrc_times_squared(f, &plan->report[i].clipped);
    if (plan->skip_nonfinite && nonfinite > 0) run->result = LRC_SKIPPED;
    if (plan->skip_nonfinite && (lrc_value(f) * longest[LRC_F32] > FLT_MAX ||
                                 lrc_value(f) * longest[LRC_F64] > DBL_MAX))
        run->asked |= LRC_CHECKS;
    lrc_round_all(run);
}

const lrc_pass lrc_measure_pass = {LRC_MEASURES, LRC_TAKEN, measure_share,
                                   measure_meet};

/* --- check ------------------------------------------------------------------------ */

/* A finite gradient times a factor above 1 may be infinite: where norms do not exclude it,
 * look at what the rules are given. */
static void check_share(lrc_run *run, const lrc_team *team)
{
    lrc_share mine = lrc_share_of(run->plan, team);
    lrc_scratch made;
    for (lrc_view v; lrc_next(&mine, 0, &v);) {
        const lrc_table *table = run->table[v.tensor->dtype];
        const void *g = lrc_gradient(run, &v, &made);
        table->multiply(g, run->numbers[v.tensor->group].f64[0], v.n, &made);
        run->strip[lrc_strip_of(&v)].nonfinite = table->nonfinite(&made, v.n);
    }
}

static void check_meet(lrc_run *run)
{
    const lrc_plan *plan = run->plan;
    for (size_t i = 0; i < plan->n_tensors; i++) {
        const size_t nonfinite = lrc_sum_up(run, plan->tensor + i).nonfinite;
        if (nonfinite > 0) run->result = LRC_SKIPPED;
        if (plan->report) plan->report[i].nonfinite = nonfinite;
    }
}

const lrc_pass lrc_check_pass = {LRC_CHECKS, LRC_TAKEN, check_share, check_meet};
