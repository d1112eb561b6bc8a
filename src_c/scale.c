/* scale.c: the scales' functions, and the pass that takes a tensor's norms and lets its
 * scale change the numbers of the step. */

#include "scale.h"

#include <float.h>
#include <math.h>

#include "run.h"

/* The root mean square of n numbers, from their sum of squares. */
static double root_mean(const lrc_squares *sum, double n)
{
    const lrc_squares mean = {sum->mid / n, sum->small / n, sum->large / n};
    return lrc_norm(&mean);
}

/* factor^2 times a sum of squares, or the largest double if it exceeds that. */
static double within_double(double factor, const lrc_squares *sum)
{
    const double all = factor * factor * sum->mid;
    if (!isfinite(sum->mid) || (sum->large == 0 && all <= DBL_MAX)) return all;
    return DBL_MAX;
}

#define LRC_SCALE_FILES
#include "scales.def"
#undef LRC_SCALE_FILES

#define LRC_SCALE(id, name, emits, n_state, states, coefs)                             \
    _Static_assert(n_state <= 1, #name " has too many states");
#include "scales.def"
#undef LRC_SCALE

#define LRC_SCALE(id, name, emits, n_state, states, coefs)                             \
    [id] = {#name, emits, n_state, states, coefs},
const lrc_scale_info lrc_scales[LRC_N_SCALES] = {
    [LRC_NO_SCALE] = {"", 0, 0, "", ""},
#include "scales.def"
};
#undef LRC_SCALE

#define LRC_SCALE(id, name, emits, n_state, states, coefs) [id] = name,
static void (*const functions[LRC_N_SCALES])(const double *, const lrc_norms *,
                                             double *, double *) = {
#include "scales.def"
};

/* The array whose norm a scale needs: the emitted direction; or the gradient divided by
 * the root of its factored second moment; or the clipped gradient, before it is
 * multiplied by before_kernel and gscale, which the scale knows. */
static const void *scaled(const lrc_run *run, lrc_view *v, lrc_scratch scratch[2])
{
    const lrc_group *group = lrc_group_of(run, v);
    const lrc_numbers *numbers = run->numbers + v->tensor->group;
    if (lrc_scales[group->scale].emits) {
        v->g = (void *)lrc_gradient(run, v, scratch);
        numbers->kernel[v->tensor->dtype](v, lrc_coefs(numbers, v->tensor->dtype),
                                          NULL);
        return v->u;
    }
    return group->factoring ? lrc_direction(run, v, scratch)
                            : lrc_clipped(run, v, scratch);
}

static void work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    lrc_scratch scratch[2];
    for (lrc_view v; lrc_next(&mine, 0, &v);) {
        const lrc_dtype dtype = v.tensor->dtype;
        const lrc_table *table = run->table[dtype];
        lrc_measured *sums = run->strip + lrc_strip_of(&v);
        size_t ignored;
        if (lrc_group_of(run, &v)->scale == LRC_NO_SCALE) continue;
        *sums = (lrc_measured){.nonfinite = 0};
        sums->x = lrc_squares_of(table, dtype, scaled(run, &v, scratch), v.n, &ignored);
        sums->p = lrc_squares_of(table, dtype, v.p, v.n, &ignored);
    }
}

/* Let the scales change their tensors' numbers.  From here on a direction that was
 * emitted counts as a gradient, which the rule sgd applies: see step_strip(). */
static void meet(lrc_run *run)
{
    const lrc_plan *plan = run->plan;
    for (size_t i = 0; i < plan->n_tensors; i++) {
        const lrc_tensor *t = plan->tensor + i;
        const lrc_group *group = plan->group + t->group;
        lrc_numbers *numbers = run->numbers + t->group;
        if (group->scale == LRC_NO_SCALE) continue;
        const lrc_measured sums = lrc_sum_up(run, t);
        const lrc_norms norms = {sums.x, sums.p, (double)t->n};
        if (!group->factoring) /* undo the split of gscale */
            numbers->f64[0] *= numbers->before_kernel[0];
        functions[group->scale](group->scale_coef, &norms, t->scale_state,
                                numbers->f64);
        if (!group->factoring) lrc_halve_gscale(numbers);
        const int emitted = lrc_scales[group->scale].emits;
        lrc_round_numbers(run, t->group, emitted ? LRC_sgd : group->rule, 0);
    }
}

const lrc_pass lrc_scale_pass = {LRC_SCALES, LRC_TAKEN, work, meet, 0};
