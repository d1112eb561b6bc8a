/* gradient.c: a strip's gradient, gathered and clipped as its kernel gets it. */

#include <math.h>

#include "run.h"

const void *lrc_gathered(const lrc_run *run, const lrc_view *v, void *scratch)
{
    if (!run->plan->gathered) return v->g;
    run->table[v->tensor->dtype]->sum(v->acc, v->g, v->n, scratch);
    return scratch;
}

const void *lrc_clamped(const lrc_run *run, const lrc_view *v, const void *g,
                        void *scratch)
{
    const lrc_table *table = run->table[v->tensor->dtype];
    const double before_clip = run->numbers[v->tensor->group].before_clip;
    const double clip_value = lrc_group_of(run, v)->clip_value;

    if (clip_value == 0) return g;
    if (before_clip != 1) {
        table->multiply(g, before_clip, v->n, scratch);
        g = scratch;
    }
    table->clamp(g, clip_value / fabs(lrc_grad_scale(run)) * before_clip, v->n,
                 scratch);
    return scratch;
}

/* The k-th factors of a tensor's units, in its type. */
static const void *factors_of(const lrc_run *run, const lrc_tensor *t, int k)
{
    return run->unit_factor[k] + t->first_unit;
}

const void *lrc_clipped(const lrc_run *run, lrc_view *v, void *scratch)
{
    const lrc_table *table = run->table[v->tensor->dtype];
    const void *g = lrc_clamped(run, v, lrc_gathered(run, v, scratch), scratch);

    if (!lrc_has_units(run, v->tensor)) return g;
    for (int k = 0; k < 1 + run->units_halved; k++) {
        v->unit_factor = factors_of(run, v->tensor, k);
        table->multiply_units(v, g, scratch);
        g = scratch;
    }
    return g;
}

const void *lrc_gradient(const lrc_run *run, lrc_view *v, void *scratch)
{
    const lrc_table *table = run->table[v->tensor->dtype];
    const lrc_numbers *numbers = run->numbers + v->tensor->group;
    const void *g = lrc_clipped(run, v, scratch);

    for (int k = 0; k < 2; k++)
        if (numbers->before_kernel[k] != 1) {
            table->multiply(g, numbers->before_kernel[k], v->n, scratch);
            g = scratch;
        }
    return g;
}
