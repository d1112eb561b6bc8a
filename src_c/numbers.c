/* numbers.c: a group's coefficients, clip factors included, rounded for its kernel. */

#include <float.h>
#include <math.h>
#include <string.h>

#include "run.h"

/* clip_value bounds grad_scale g, so g itself is clipped to clip_value / grad_scale.
 * If that is no normal float, gradients are first multiplied by this power of 2. */
static double before_clip(double clip_value, double grad_scale)
{
    if (clip_value == 0) return 1;
    const double bound = clip_value / grad_scale;
    if (!(bound < FLT_MIN)) return 1;
    int e;
    (void)frexp(bound, &e);
    return ldexp(1, -e);
}

void lrc_halve(lrc_scaled f, double half[2])
{
    const double value = lrc_value(f), size = fabs(value);
    const int normal = (size >= FLT_MIN && size <= FLT_MAX) || f.x == 0;
    int e = 0;

    half[0] = 1;
    half[1] = value;
    if (normal || !isfinite(f.x)) return;
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

void lrc_halve_gscale(lrc_numbers *numbers)
{
    double half[2];
    lrc_halve((lrc_scaled){numbers->f64[0], 0}, half);
    numbers->before_kernel[0] = half[0];
    numbers->f64[0] = half[1];
}

void lrc_round_numbers(const lrc_run *run, size_t i, lrc_rule rule, int emits)
{
    lrc_numbers *numbers = run->numbers + i;
    const double *c = numbers->f64;
    float *f = numbers->f32;
    const int measured = run->plan->report != NULL;

    for (int k = 0; k < LRC_MAX_COEFS; k++) f[k] = (float)c[k];
    const lrc_form f32 = emits ? LRC_EMITTED : form_of(f[0], f[1], f[2], measured);
    const lrc_form f64 = emits ? LRC_EMITTED : form_of(c[0], c[1], c[2], measured);
    numbers->kernel[LRC_F32] = run->table[LRC_F32]->kernel[rule][f32];
    numbers->kernel[LRC_F64] = run->table[LRC_F64]->kernel[rule][f64];
    numbers->bare = numbers->bare && numbers->before_kernel[0] == 1;
}

static int has_average(const lrc_group *group)
{
    for (int k = 0; k < LRC_MAX_AVERAGES; k++)
        if (group->average[k].weight != 0) return 1;
    return 0;
}

/* Give the factor to gscale or, if the gradient is factored or directed before the
 * kernel multiplies it by gscale, to before_kernel. */
static void share_factor(const lrc_group *group, lrc_numbers *numbers)
{
    const int before = group->directed || group->factoring;
    const lrc_scaled gscale = {numbers->f64[0], 0};
    double half[2];
    lrc_halve(before ? numbers->factor : lrc_times(gscale, numbers->factor), half);
    numbers->before_kernel[0] = half[0];
    numbers->before_kernel[1] = before ? half[1] : 1;
    if (!before) numbers->f64[0] = half[1];
}

void lrc_round_all(const lrc_run *run)
{
    const lrc_plan *plan = run->plan;
    for (size_t i = 0; i < plan->n_groups; i++) {
        const lrc_group *group = plan->group + i;
        const int emits = lrc_scales[group->scale].emits;
        lrc_numbers *numbers = run->numbers + i;
        memcpy(numbers->f64, group->coef, sizeof numbers->f64);
        share_factor(group, numbers);
        numbers->bare = !plan->report && !plan->zero_grads && !plan->gathered &&
                        group->clip_value == 0 && group->agc == 0 && !group->directed &&
                        !group->factoring && !emits &&
                        (plan->averages_later || !has_average(group));
        /* A direction counts as a gradient, which the rule sgd applies. */
        lrc_round_numbers(run, i, group->directed ? LRC_sgd : group->rule, emits);
    }
}

const void *lrc_coefs(const lrc_numbers *numbers, lrc_dtype dtype)
{
    return dtype == LRC_F32 ? (const void *)numbers->f32 : numbers->f64;
}

/* --- the pass --------------------------------------------------------------------- */

/* Set the numbers of all groups before the first work. */
static void begin(lrc_run *run)
{
    const lrc_plan *plan = run->plan;
    const double scale = lrc_grad_scale(run);
    for (size_t i = 0; i < plan->n_groups; i++) {
        lrc_numbers *numbers = run->numbers + i;
        numbers->before_clip = before_clip(plan->group[i].clip_value, fabs(scale));
        numbers->factor = (lrc_scaled){scale / numbers->before_clip, 0};
    }
    lrc_round_all(run);
    /* A kernel does not measure the raw gradient if that is multiplied before it. */
    for (size_t i = 0; plan->report && i < plan->n_groups; i++)
        if (run->numbers[i].before_kernel[0] != 1) run->asked |= LRC_MEASURES;
}

const lrc_pass lrc_numbers_pass = {LRC_ALWAYS, LRC_TAKEN, NULL, begin, 0, 0};
