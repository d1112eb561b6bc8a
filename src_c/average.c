/* average.c: averages of the params: the pass "step" updates those of each strip, or
 * the pass of lrc_update_averages() does. */

#include "run.h"

void lrc_average_strip(const lrc_run *run, const lrc_view *v)
{
    const lrc_group *group = lrc_group_of(run, v);
    const lrc_table *table = run->table[v->tensor->dtype];
    for (int k = 0; k < LRC_MAX_AVERAGES; k++) {
        const lrc_average *a = group->average + k;
        if (v->a[k] && a->weight != 0)
            table->average(v->a[k], v->p, v->n, a->weight, a->pulls);
    }
}

static void work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    for (lrc_view v; lrc_next(&mine, 0, &v);) lrc_average_strip(run, &v);
}

const lrc_pass lrc_average_pass = {LRC_ALWAYS, LRC_TAKEN, work, NULL, 0, 0};
