/* step.c: the functions of plan.h that run a plan, each with its list of passes; and
 * the pass that steps. */

#include <math.h>
#include <string.h>

#include "run.h"

static const lrc_pass *const step[] = {
    &lrc_fold_pass,    &lrc_numbers_pass, &lrc_units_pass,
    &lrc_measure_pass, &lrc_check_pass,   &lrc_gauge_pass,
    &lrc_read_pass,    &lrc_make_pass,    &lrc_direct_pass,
    &lrc_scale_pass,   &lrc_step_pass,    &lrc_keep_pass,
    &lrc_report_pass,  &lrc_zero_pass,    NULL};
static const lrc_pass *const measure[] = {&lrc_fold_pass,
                                          &lrc_numbers_pass,
                                          &lrc_units_pass,
                                          &lrc_measure_pass,
                                          &lrc_check_pass,
                                          &lrc_gauge_pass,
                                          NULL};
static const lrc_pass *const clip[] = {&lrc_numbers_pass, &lrc_units_pass,
                                       &lrc_measure_pass, &lrc_clip_pass, NULL};
static const lrc_pass *const gather[] = {&lrc_gather_pass, NULL};
static const lrc_pass *const average[] = {&lrc_average_pass, NULL};
static const lrc_pass *const place[] = {&lrc_place_pass, NULL};

int lrc_step(lrc_plan *plan)
{
    lrc_run run = {0};
    return lrc_run_passes(&run, plan, step);
}

int lrc_measure(lrc_plan *plan)
{
    lrc_run run = {.asked = LRC_MEASURES};
    lrc_plan quiet = *plan;
    quiet.ask = NULL;
    return lrc_run_passes(&run, &quiet, measure);
}

int lrc_clip(lrc_plan *plan)
{
    lrc_run run = {.asked = plan->report ? LRC_MEASURES : 0};
    return lrc_run_passes(&run, plan, clip);
}

int lrc_gather(lrc_plan *plan, int first)
{
    lrc_run run = {.first = first};
    return lrc_run_passes(&run, plan, gather);
}

int lrc_update_averages(lrc_plan *plan)
{
    lrc_run run = {0};
    return lrc_run_passes(&run, plan, average);
}

int lrc_zero_arrays(lrc_plan *plan)
{
    lrc_run run = {0};
    return lrc_run_passes(&run, plan, place);
}

/* --- the pass --------------------------------------------------------------------- */

const void *lrc_direction(const lrc_run *run, lrc_view *v, lrc_scratch scratch[2])
{
    const lrc_group *group = lrc_group_of(run, v);
    if (group->directed) return v->u;
    const void *g = lrc_gradient(run, v, scratch);
    return group->factoring ? lrc_unfactored(run, v, g, scratch + 1) : g;
}

/* Keep the sums that the kernel has taken of a strip.  Those of g, the kernel's input,
 * and of p are taken again if they are out of range. */
static void keep_sums(const lrc_run *run, const lrc_view *v, const lrc_sums *found)
{
    const lrc_dtype dtype = v->tensor->dtype;
    const lrc_table *table = run->table[dtype];
    lrc_measured *sums = run->strip + lrc_strip_of(v);
    size_t ignored;

    *sums = (lrc_measured){
        .g.mid = found->g, .p.mid = found->p, .u.mid = found->u, .nonfinite = 0};
    if (!lrc_is_ordinary(dtype, found->g))
        sums->g = lrc_squares_of(table, dtype, v->g, v->n, &sums->nonfinite);
    if (!lrc_is_ordinary(dtype, found->p))
        sums->p = lrc_squares_of(table, dtype, v->p, v->n, &ignored);
}

/* Step a view whose g is the kernel's input.  raw: the gradient, for zero_grads. */
static void step_view(lrc_run *run, const lrc_view *v, void *raw)
{
    const lrc_dtype dtype = v->tensor->dtype;
    const lrc_table *table = run->table[dtype];
    const lrc_group *group = lrc_group_of(run, v);
    const lrc_numbers *numbers = run->numbers + v->tensor->group;
    lrc_sums sums = {0};

    if (v->delta) table->mechanic_begin(v, &group->mechanic);
    numbers->kernel[dtype](v, lrc_coefs(numbers, dtype), &sums);
    if (v->delta)
        table->mechanic(v, &group->mechanic, run->plan->report ? &sums : NULL);
    if (run->plan->report) keep_sums(run, v, &sums);
    if (!run->plan->averages_later) lrc_average_strip(run, v);
    if (run->plan->zero_grads) memset(raw, 0, v->n * lrc_size_of(dtype));
}

/* A strip of a streamed tensor is stepped in blocks, so that memory never waits while a
 * stage works in the cache: finite check, clip, AdamW, average and zeroing of
 * 30,000,000 floats take 1.6 to 1.8 of a bare step, and strip by strip 0.15 more
 * (Emerald Rapids).  The sums of a report are of whole strips. */
static void step_blocks(lrc_run *run, const lrc_view *v, char *raw)
{
    const size_t size = lrc_size_of(v->tensor->dtype);
    for (size_t i = 0; i < v->n; i += LRC_BLOCK) {
        const size_t left = v->n - i;
        lrc_view block;
        lrc_view_of(v->tensor, v->at + i, left < LRC_BLOCK ? left : LRC_BLOCK, &block);
        block.g = (char *)v->g + i * size;
        step_view(run, &block, raw + i * size);
    }
}

static void step_strip(lrc_run *run, lrc_view *v, lrc_scratch scratch[2])
{
    const lrc_group *group = lrc_group_of(run, v);
    void *const raw = v->g;
    if (group->directed) lrc_advance_states(run, v, scratch);
    v->g =
        lrc_scales[group->scale].emits ? v->u : (void *)lrc_direction(run, v, scratch);
    if (v->streamed && !run->plan->report && !group->factoring)
        step_blocks(run, v, raw);
    else
        step_view(run, v, raw);
}

static void step_work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    lrc_scratch scratch[2];
    for (const lrc_tensor *t; (t = lrc_next_tensor(&mine)) != NULL;) {
        const lrc_numbers *numbers = run->numbers + t->group;
        const int bare = numbers->bare && !t->mechanic_delta;
        lrc_view v;
        lrc_next(&mine, bare, &v);
        if (bare)
            numbers->kernel[t->dtype](&v, lrc_coefs(numbers, t->dtype), NULL);
        else
            step_strip(run, &v, scratch);
    }
}

const lrc_pass lrc_step_pass = {LRC_ALWAYS, LRC_TAKEN, step_work, NULL, 0, 0};

/* --- gradients of a step that was skipped ----------------------------------------- */

static void zero_work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    for (lrc_view v; lrc_next(&mine, 0, &v);)
        memset(v.g, 0, v.n * lrc_size_of(v.tensor->dtype));
}

const lrc_pass lrc_zero_pass = {LRC_ZEROES, LRC_SKIPPED, zero_work, NULL, 0, 0};
