/* gradient.c: from the gradient that a strip has to the one that its kernel is given. */

#include <math.h>

#include "run.h"

const void *lrc_gathered(const lrc_run *run, const lrc_view *v, void *made)
{
    if (!run->plan->gathered) return v->g;
    run->table[v->tensor->dtype]->sum(v->acc, v->g, v->n, made);
    return made;
}

const void *lrc_clamped(const lrc_run *run, const lrc_view *v, const void *g,
                        void *made)
{
    const lrc_table *table = run->table[v->tensor->dtype];
    const double first = run->numbers[v->tensor->group].first;
    const double clip_value = lrc_group_of(run, v)->clip_value;

    if (clip_value == 0) return g;
    if (first != 1) {
        table->multiply(g, first, v->n, made);
        g = made;
    }
    table->clamp(g, clip_value / fabs(lrc_grad_scale(run)) * first, v->n, made);
    return made;
}

/* A unit's factors, in the tensor's type. */
static const void *factors_of(const lrc_run *run, const lrc_tensor *t, int k)
{
    return run->unit_factor[k] + t->first_unit;
}

const void *lrc_clipped(const lrc_run *run, lrc_view *v, void *made)
{
    const lrc_table *table = run->table[v->tensor->dtype];
    const void *g = lrc_clamped(run, v, lrc_gathered(run, v, made), made);

    if (!lrc_has_units(run, v->tensor)) return g;
    for (int k = 0; k < 1 + run->units_halved; k++) {
        v->unit_factor = factors_of(run, v->tensor, k);
        table->multiply_units(v, g, made);
        g = made;
    }
    return g;
}

const void *lrc_gradient(const lrc_run *run, lrc_view *v, void *made)
{
    const lrc_table *table = run->table[v->tensor->dtype];
    const lrc_numbers *by = run->numbers + v->tensor->group;
    const void *g = lrc_clipped(run, v, made);

    for (int k = 0; k < 2; k++)
        if (by->apart[k] != 1) {
            table->multiply(g, by->apart[k], v->n, made);
            g = made;
        }
    return g;
}
