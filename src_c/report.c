/* report.c: the pass that writes the report of each tensor. */

#include "run.h"

lrc_measured lrc_sum_up(const lrc_run *run, const lrc_tensor *t)
{
    lrc_measured all = {.nonfinite = 0};
    const lrc_measured *part = run->strip + t->first_strip;
    for (size_t i = 0; i < lrc_strips(t->n); i++) {
        lrc_add_squares(&all.g, &part[i].g);
        lrc_add_squares(&all.x, &part[i].x);
        lrc_add_squares(&all.p, &part[i].p);
        lrc_add_squares(&all.u, &part[i].u);
        all.nonfinite += part[i].nonfinite;
    }
    return all;
}

static void meet(lrc_run *run)
{
    const lrc_scaled scale = {lrc_grad_scale(run), 0};
    for (size_t i = 0; i < run->plan->n_tensors; i++) {
        lrc_report *report = run->plan->report + i;
        const lrc_measured sums = lrc_sum_up(run, run->plan->tensor + i);
        if (!(run->asked & LRC_MEASURES)) {
            report->g = report->clipped = lrc_times_squared(scale, &sums.g);
            report->nonfinite = sums.nonfinite;
        }
        report->p = sums.p;
        report->u = sums.u;
    }
}

const lrc_pass lrc_report_pass = {LRC_REPORTS, LRC_TAKEN, NULL,
                                  meet,        0,         LRC_MERGES_STRIPS};
