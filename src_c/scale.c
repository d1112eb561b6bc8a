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
static void (*const functions[LRC_N_SCALES])(const double *, const lrc_scale_input *,
                                             double *, double *) = {
#include "scales.def"
};

/* The gradient whose norm a scale needs: clipped, before it is multiplied by
 * before_kernel and gscale, which the scale knows; or divided by the root of its
 * factored second moment. */
static const void *scaled(const lrc_run *run, lrc_view *v, lrc_scratch scratch[2])
{
    return lrc_group_of(run, v)->factoring ? lrc_direction(run, v, scratch)
                                           : lrc_clipped(run, v, scratch);
}

/* Write the rule's direction into u, and sum the squares of u and p, in blocks: while
 * the squares of one are summed, the processor already fetches the next.  A LAMB step
 * of 500,000 floats by one thread takes 0.91 of the time of whole strips. */
static void emit(const lrc_run *run, const lrc_view *v, lrc_scratch scratch[2])
{
    enum { BLOCK = LRC_STRIP / 4 };
    const lrc_dtype dtype = v->tensor->dtype;
    const lrc_table *table = run->table[dtype];
    const lrc_numbers *numbers = run->numbers + v->tensor->group;
    lrc_measured *sums = run->strip + lrc_strip_of(v);
    double uu[LRC_LANES] = {0}, pp[LRC_LANES] = {0};
    size_t ignored;

    for (size_t i = 0; i < v->n; i += BLOCK) {
        lrc_view block;
        lrc_view_of(v->tensor, v->at + i, v->n - i < BLOCK ? v->n - i : BLOCK, &block);
        block.g = (void *)lrc_gradient(run, &block, scratch);
        numbers->kernel[dtype](&block, lrc_coefs(numbers, dtype), NULL);
        table->squares(block.u, block.n, uu);
        table->squares(block.p, block.n, pp);
    }
    *sums = (lrc_measured){.x.mid = lrc_total(uu), .p.mid = lrc_total(pp)};
    if (!lrc_is_ordinary(dtype, sums->x.mid))
        sums->x = lrc_squares_of(table, dtype, v->u, v->n, &ignored);
    if (!lrc_is_ordinary(dtype, sums->p.mid))
        sums->p = lrc_squares_of(table, dtype, v->p, v->n, &ignored);
}

static void measure(const lrc_run *run, lrc_view *v, lrc_scratch scratch[2])
{
    const lrc_dtype dtype = v->tensor->dtype;
    const lrc_table *table = run->table[dtype];
    lrc_measured *sums = run->strip + lrc_strip_of(v);
    size_t ignored;

    *sums = (lrc_measured){.nonfinite = 0};
    sums->x = lrc_squares_of(table, dtype, scaled(run, v, scratch), v->n, &ignored);
    sums->p = lrc_squares_of(table, dtype, v->p, v->n, &ignored);
}

static void work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    lrc_scratch scratch[2];
    for (lrc_view v; lrc_next(&mine, 0, &v);) {
        const lrc_scale scale = lrc_group_of(run, &v)->scale;
        if (scale == LRC_NO_SCALE) continue;
        if (lrc_scales[scale].emits)
            emit(run, &v, scratch);
        else
            measure(run, &v, scratch);
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
        const lrc_scale_input norms = {sums.x, sums.p, (double)t->n};
        if (!group->factoring) /* undo the split of gscale */
            numbers->f64[0] *= numbers->before_kernel[0];
        functions[group->scale](group->scale_coef, &norms, t->scale_state,
                                numbers->f64);
        if (!group->factoring) lrc_halve_gscale(numbers);
        const int emitted = lrc_scales[group->scale].emits;
        lrc_round_numbers(run, t->group, emitted ? LRC_sgd : group->rule, 0);
    }
}

const lrc_pass lrc_scale_pass = {LRC_SCALES, LRC_TAKEN, work,
                                 meet,       0,         LRC_MERGES_STRIPS};
