/* gauge.c: the pass that takes the sums of a group's gauge over its tensors.  From
 * these the caller makes the group's numbers of this step. */

#include <string.h>

#include "run.h"

static void read_strip(const lrc_run *run, lrc_view *v)
{
    enum { DRIVER = 2, ALL = DRIVER + LRC_MAX_GAUGE_COEFS }; /* DRIVER: gscale, l2 */
    const lrc_dtype dtype = v->tensor->dtype;
    const lrc_group *group = lrc_group_of(run, v);
    double c[ALL];
    float f[ALL];
    lrc_scratch scratch;

    memcpy(c, run->numbers[v->tensor->group].f64, DRIVER * sizeof *c);
    memcpy(c + DRIVER, group->gauge_coef, sizeof group->gauge_coef);
    for (int i = 0; i < ALL; i++) f[i] = (float)c[i];
    v->g = (void *)lrc_gradient(run, v, &scratch);
    run->table[dtype]->gauge[group->gauge](v, dtype == LRC_F32 ? (const void *)f : c,
                                           run->gauge + LRC_MAX_SUMS * lrc_strip_of(v));
}

static void work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    for (lrc_view v; lrc_next(&mine, 0, &v);)
        if (lrc_group_of(run, &v)->gauge != LRC_NO_GAUGE) read_strip(run, &v);
}

/* Add the sums of a tensor's strips, in order. */
static void sum_up(const lrc_run *run, size_t i)
{
    const lrc_tensor *t = run->plan->tensor + i;
    const int n_sum = lrc_gauges[run->plan->group[t->group].gauge].n_sum;
    for (int k = 0; k < n_sum; k++) {
        const double *part = run->gauge + LRC_MAX_SUMS * t->first_strip + k;
        double total = 0;
        for (size_t j = 0; j < lrc_strips(t->n); j++) total += part[LRC_MAX_SUMS * j];
        run->plan->gauge_sums[LRC_MAX_SUMS * i + (size_t)k] = total;
    }
}

static void meet(lrc_run *run)
{
    for (size_t i = 0; i < run->plan->n_tensors; i++) sum_up(run, i);
    lrc_ask_caller(run, LRC_ASK_GAUGED);
    lrc_round_all(run); /* the caller has changed the coefficients */
}

const lrc_pass lrc_gauge_pass = {LRC_GAUGES, LRC_TAKEN, work, meet, 0, LRC_MERGES_SUMS};
