/* numbers.c: a group's coefficients, from doubles to what a kernel takes. */

#include <float.h>
#include <math.h>
#include <string.h>

#include "run.h"

/* The power of 2 that a gradient is multiplied by, so that the bound of clip_value, which
 * stands for grad_scale g, is a normal float beside g. */
static double before_clip_value(double clip_value, double scale)
{
    const double most = clip_value / scale;
    if (clip_value == 0 || !(most < FLT_MIN)) return 1;
    int e;
    (void)frexp(most, &e);
    return ldexp(1, -e);
}

void lrc_begin_numbers(lrc_run *run)
{
    const lrc_plan *plan = run->plan;
    const double scale = lrc_grad_scale(run);
    for (size_t i = 0; i < plan->n_groups; i++) {
        lrc_numbers *by = run->numbers + i;
        by->first = before_clip_value(plan->group[i].clip_value, fabs(scale));
        by->factor = (lrc_scaled){scale / by->first, 0};
    }
    lrc_round_all(run);
}

void lrc_halve(lrc_scaled f, double half[2])
{
    const double value = lrc_value(f), size = fabs(value);
    const int ordinary = (size >= FLT_MIN && size <= FLT_MAX) || f.x == 0;
    int e = 0;

    half[0] = 1;
    half[1] = value;
    if (ordinary || !isfinite(f.x)) return;
    (void)frexp(f.x, &e);
    e = (e + f.e) / 2;
    half[0] = ldexp(1, e);
    half[1] = ldexp(f.x, f.e - e);
}

static lrc_form form_of(double gscale, double l2, double decay, int measured)
{
    if (measured) return LRC_MEASURED;
    if (l2 != 0) return LRC_COUPLED;
    return gscale == 1 && decay == 1 ? LRC_PLAIN : LRC_SCALED;
}

void lrc_halve_gscale(lrc_numbers *by)
{
    double half[2];
    lrc_halve((lrc_scaled){by->f64[0], 0}, half);
    by->apart[0] = half[0];
    by->f64[0] = half[1];
}

void lrc_round_numbers(const lrc_run *run, size_t i, lrc_rule rule, int emits)
{
    lrc_numbers *by = run->numbers + i;
    const double *c = by->f64;
    float *f = by->f32;
    const int measured = run->plan->report != NULL;

    for (int k = 0; k < LRC_MAX_COEFS; k++) f[k] = (float)c[k];
    const lrc_form f32 = emits ? LRC_EMITTED : form_of(f[0], f[1], f[2], measured);
    const lrc_form f64 = emits ? LRC_EMITTED : form_of(c[0], c[1], c[2], measured);
    by->kernel[LRC_F32] = run->table[LRC_F32]->kernel[rule][f32];
    by->kernel[LRC_F64] = run->table[LRC_F64]->kernel[rule][f64];
    by->bare = by->bare && by->apart[0] == 1;
}

static int has_average(const lrc_group *group)
{
    for (int k = 0; k < LRC_MAX_AVERAGES; k++)
        if (group->average[k].weight != 0) return 1;
    return 0;
}

/* Where directions are made of whole gradients these are clipped before it, and else
 * gscale carries the factor. */
static void share_factor(const lrc_group *group, lrc_numbers *by)
{
    const int whole = group->directed || group->factoring;
    double half[2];
    lrc_halve(whole ? by->factor : lrc_times((lrc_scaled){by->f64[0], 0}, by->factor),
              half);
    by->apart[0] = half[0];
    by->apart[1] = whole ? half[1] : 1;
    if (!whole) by->f64[0] = half[1];
}

void lrc_round_all(const lrc_run *run)
{
    const lrc_plan *plan = run->plan;
    for (size_t i = 0; i < plan->n_groups; i++) {
        const lrc_group *group = plan->group + i;
        const int emits = lrc_scales[group->scale].emits;
        lrc_numbers *by = run->numbers + i;
        memcpy(by->f64, group->coef, sizeof by->f64);
        share_factor(group, by);
        by->bare = !plan->report && !plan->zero_grads && !plan->gathered &&
                   group->clip_value == 0 && group->agc == 0 && !group->directed &&
                   !group->factoring && !emits && !has_average(group);
        lrc_round_numbers(run, i, group->rule, emits);
    }
}

const void *lrc_coefs(const lrc_numbers *by, lrc_dtype dtype)
{
    return dtype == LRC_F32 ? (const void *)by->f32 : by->f64;
}
