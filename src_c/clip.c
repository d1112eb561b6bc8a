/* clip.c: the passes that measure gradients, make the factors that clip them, and check
 * whether they are finite. */

#include <float.h>
#include <math.h>

#include "run.h"

lrc_scaled lrc_clip_factor(lrc_scaled norm, double max_norm)
{
    if (!(lrc_value(norm) > max_norm) || !isfinite(norm.x)) return (lrc_scaled){1, 0};
    return (lrc_scaled){max_norm / norm.x, -norm.e};
}

double lrc_agc_max_norm(const lrc_group *group, lrc_scaled p)
{
    const double norm = lrc_value(p);
    return group->agc * (norm > group->agc_eps ? norm : group->agc_eps);
}

/* --- measure ---------------------------------------------------------------------- */

static void measure_work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    lrc_scratch scratch;
    for (lrc_view v; lrc_next(&mine, 0, &v);) {
        const lrc_dtype dtype = v.tensor->dtype;
        const lrc_table *table = run->table[dtype];
        const lrc_group *group = lrc_group_of(run, &v);
        lrc_measured *sums = run->strip + lrc_strip_of(&v);
        size_t ignored;

        const void *g = lrc_gathered(run, &v, &scratch);
        *sums = (lrc_measured){.nonfinite = 0};
        sums->g = sums->x = lrc_squares_of(table, dtype, g, v.n, &sums->nonfinite);
        if (group->clip_value != 0) {
            g = lrc_clamped(run, &v, g, &scratch);
            sums->x = lrc_squares_of(table, dtype, g, v.n, &ignored);
        }
        if (group->agc != 0 && !lrc_has_units(run, v.tensor))
            sums->p = lrc_squares_of(table, dtype, v.p, v.n, &ignored);
    }
}

/* The clip factor of a tensor by its own norms.  clipped: its sum of squares
 * afterwards. */
static lrc_scaled clip_tensor(lrc_run *run, const lrc_tensor *t,
                              const lrc_measured *sums, lrc_squares *clipped)
{
    const lrc_group *group = run->plan->group + t->group;
    const lrc_scaled scale = {fabs(run->numbers[t->group].factor.x), 0};
    const lrc_squares g = lrc_times_squared(scale, &sums->x);
    const lrc_scaled norm = lrc_root(&g);
    lrc_scaled f = {1, 0};

    if (group->clip_norm != 0) f = lrc_clip_factor(norm, group->clip_norm);
    if (group->agc != 0 && !lrc_has_units(run, t)) {
        const double max_norm = lrc_agc_max_norm(group, lrc_root(&sums->p));
        f = lrc_times(f, lrc_clip_factor(lrc_times(f, norm), max_norm));
    }
    *clipped = lrc_times_squared(f, &g);
    if (lrc_has_units(run, t))
        *clipped = lrc_clip_units(run, t, lrc_times(f, scale), clipped);
    return f;
}

static void report_gradient(const lrc_run *run, size_t i, const lrc_measured *sums,
                            const lrc_squares *clipped)
{
    lrc_report *report = run->plan->report + i;
    report->g = lrc_times_squared((lrc_scaled){lrc_grad_scale(run), 0}, &sums->g);
    report->clipped = *clipped;
    report->u = (lrc_squares){0}; /* until the step is taken */
    report->nonfinite = sums->nonfinite;
}

/* The clip factor of all gradients, by their global norm. */
static lrc_scaled clip_all(const lrc_plan *plan, const lrc_squares *total)
{
    lrc_scaled norm = lrc_root(total);
    if (plan->clip_norm == 0) return (lrc_scaled){1, 0};
    if (norm.e <= 0) norm = (lrc_scaled){lrc_value(norm) + plan->clip_eps, 0};
    return lrc_clip_factor(norm, plan->clip_norm);
}

/* Make the clip factors, and decide whether the step is skipped or needs the check. */
static void measure_meet(lrc_run *run)
{
    lrc_plan *plan = run->plan;
    lrc_squares total = {0};
    double largest_norm[LRC_N_DTYPES] = {0};
    size_t nonfinite = 0;

    for (size_t i = 0; i < plan->n_tensors; i++) {
        const lrc_tensor *t = plan->tensor + i;
        const lrc_measured sums = lrc_sum_up(run, t);
        lrc_squares clipped;
        const lrc_scaled f = clip_tensor(run, t, &sums, &clipped);
        lrc_scaled *factor = &run->numbers[t->group].factor;
        *factor = lrc_times(*factor, f); /* f is 1 if the group has several tensors */
        lrc_add_squares(&total, &clipped);
        largest_norm[t->dtype] = fmax(largest_norm[t->dtype], lrc_norm(&clipped));
        nonfinite += sums.nonfinite;
        if (plan->report) report_gradient(run, i, &sums, &clipped);
    }
    const lrc_scaled f = clip_all(plan, &total);
    for (size_t i = 0; i < plan->n_groups; i++)
        run->numbers[i].factor = lrc_times(run->numbers[i].factor, f);
    for (size_t i = 0; plan->report && i < plan->n_tensors; i++)
        plan->report[i].clipped = lrc_times_squared(f, &plan->report[i].clipped);
    if (plan->skip_nonfinite && nonfinite > 0) run->result = LRC_SKIPPED;
    if (plan->skip_nonfinite && (lrc_value(f) * largest_norm[LRC_F32] > FLT_MAX ||
                                 lrc_value(f) * largest_norm[LRC_F64] > DBL_MAX))
        run->asked |= LRC_CHECKS;
    lrc_round_all(run);
}

const lrc_pass lrc_measure_pass = {LRC_MEASURES, LRC_TAKEN, measure_work,
                                   measure_meet, 0,         LRC_MERGES_STRIPS};

/* --- check ------------------------------------------------------------------------ */

/* A finite gradient times a factor above 1 may be infinite.  If the norms do not
 * exclude this, the check looks at the gradients that the rules will get. */
static void check_work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    lrc_scratch scratch;
    for (lrc_view v; lrc_next(&mine, 0, &v);) {
        const lrc_table *table = run->table[v.tensor->dtype];
        const void *g = lrc_gradient(run, &v, &scratch);
        table->multiply(g, run->numbers[v.tensor->group].f64[0], v.n, &scratch);
        run->strip[lrc_strip_of(&v)].nonfinite = table->nonfinite(&scratch, v.n);
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

const lrc_pass lrc_check_pass = {LRC_CHECKS, LRC_TAKEN, check_work,
                                 check_meet, 0,         LRC_MERGES_STRIPS};
