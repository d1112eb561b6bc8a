/* run.c: the driver of passes, and the plan's work area, which they share. */

#include "run.h"

#include <string.h>

/* --- the work of a plan ----------------------------------------------------------- */

static size_t units_of(const lrc_tensor *t)
{
    const size_t n = t->units.outer * t->units.inner;
    return n > 1 ? n : 0;
}

/* Lay out the arrays of a run in `work`, if that is not NULL; return their bytes. */
static size_t lay_out(lrc_run *run, const lrc_plan *plan, size_t n_units,
                      size_t n_factor, char *work)
{
    const size_t numbers = plan->n_groups * sizeof(lrc_numbers);
    const size_t strips = plan->n_strips * sizeof(lrc_measured);
    const size_t gauge = plan->n_strips * LRC_MAX_SUMS * sizeof(double);
    const size_t units = n_units * sizeof(lrc_unit);
    const size_t unit_factors = n_units * sizeof(double);

    if (work) {
        run->numbers = (void *)work;
        run->strip = (void *)(work += numbers);
        run->gauge = (void *)(work += strips);
        run->unit = (void *)(work += gauge);
        run->unit_factor[0] = (void *)(work += units);
        run->unit_factor[1] = (void *)(work += unit_factors);
        run->factor = (void *)(work + unit_factors);
    }
    return numbers + strips + gauge + units + 2 * unit_factors +
           n_factor * sizeof(double);
}

size_t lrc_plan_tensors(lrc_plan *plan)
{
    size_t units = 0, factor = 0;
    plan->total = plan->n_strips = 0;
    for (size_t i = 0; i < plan->n_tensors; i++) {
        lrc_tensor *t = plan->tensor + i;
        t->first = plan->total;
        t->first_strip = plan->n_strips;
        t->first_unit = units;
        t->first_factor = factor;
        t->grain = lrc_grain(t);
        plan->total += lrc_own(t);
        plan->n_strips += lrc_strips(t->n);
        units += units_of(t);
        if (lrc_own(t) > 0) factor += lrc_factor_work(t);
    }
    return lay_out(NULL, plan, units, factor, NULL);
}

static size_t all_units(const lrc_plan *plan)
{
    if (plan->n_tensors == 0) return 0;
    const lrc_tensor *last = plan->tensor + plan->n_tensors - 1;
    return last->first_unit + units_of(last);
}

/* --- the driver ------------------------------------------------------------------- */

const lrc_group *lrc_group_of(const lrc_run *run, const lrc_view *v)
{
    return run->plan->group + v->tensor->group;
}

double lrc_grad_scale(const lrc_run *run)
{
    return run->plan->grad_scale == 0 ? 1 : run->plan->grad_scale;
}

void lrc_ask_caller(lrc_run *run, lrc_ask what)
{
    lrc_plan *plan = run->plan;
    if (!plan->ask) return;
    const fp_mode mode = fp_get();
    fp_leave(run->caller);
    run->result = plan->ask(plan->caller, plan, what);
    fp_leave(mode);
}

/* Let the processes of the plan have what each has measured in the pass. */
static void merge(lrc_run *run)
{
    lrc_plan *plan = run->plan;
    const lrc_merged of[] = {
        [LRC_MERGES_STRIPS] = {(char *)run->strip, sizeof *run->strip, 0},
        [LRC_MERGES_SUMS] = {(char *)run->gauge, LRC_MAX_SUMS * sizeof *run->gauge, 0},
        [LRC_MERGES_UNITS] = {(char *)run->unit, sizeof *run->unit, 1},
    };
    const fp_mode mode = fp_get();
    fp_leave(run->caller);
    run->result = plan->merge(plan->merger, plan, &of[run->pass->merges]);
    fp_leave(mode);
}

/* The passes that the plan and its groups ask for. */
static unsigned asked_for(const lrc_plan *plan)
{
    unsigned asked = LRC_ALWAYS;
    if (plan->skip_nonfinite || plan->clip_norm != 0) asked |= LRC_MEASURES;
    if (plan->setup) asked |= LRC_FOLDS;
    if (plan->report) asked |= LRC_REPORTS;
    if (plan->zero_grads) asked |= LRC_ZEROES;
    for (size_t i = 0; i < plan->n_groups; i++) {
        const lrc_group *group = plan->group + i;
        /* The report needs the raw gradient, but the kernel measures its own input. */
        const int changed = group->factoring || group->directed ||
                            group->clip_value != 0 || lrc_scales[group->scale].emits;
        if (group->clip_norm != 0 || group->agc != 0 || (plan->report && changed))
            asked |= LRC_MEASURES;
        if (group->agc != 0) asked |= LRC_UNITS;
        if (group->scale != LRC_NO_SCALE) asked |= LRC_SCALES;
        if (group->gauge != LRC_NO_GAUGE && plan->gauge_sums) asked |= LRC_GAUGES;
        if (group->factoring) asked |= LRC_FACTORS;
        if (group->factoring == LRC_PRODUCT) asked |= LRC_PRODUCTS;
        if (group->directed) asked |= LRC_DIRECTS;
    }
    return asked;
}

/* Every other pass over gradients goes backwards through each thread's share, whose end
 * is still in the cache: a LARS step of 1,000,000 floats by two threads takes 0.9 of
 * the time.  It takes whole pieces, each of them forwards, so that the processor sees
 * what comes. */
enum { PIECE = 4 * LRC_STRIP };

static int pieces_of(size_t total, int chunks)
{
    const size_t n = total / (size_t)chunks / PIECE;
    return n > 1 ? (int)n : 1;
}

/* The piece that comes in the place of piece k of n in a share: those of thread t are
 * [n t / threads, n (t + 1) / threads), as lrc_deal() deals them out.
 *
 *     n    threads   piece 0, 1, ... comes as
 *     5    2         1, 0; 4, 3, 2
 *     3    1         2, 1, 0
 */
static int mirrored(int k, int n, int threads)
{
    const long long all = n, t = ((long long)(k + 1) * threads - 1) / n;
    const long long first = all * t / threads, end = all * (t + 1) / threads;
    return (int)(first + end - 1 - k);
}

/* Do one chunk of a pass. */
static void do_pieces(lrc_run *run, const lrc_chunk *chunk)
{
    const int n = chunk->n * run->pieces, first = chunk->k * run->pieces;
    for (int k = first; k < first + run->pieces; k++) {
        const int at = run->backwards ? mirrored(k, n, run->threads) : k;
        run->pass->work(run, &(lrc_chunk){at, n});
    }
}

/* The same, in any thread. */
static void do_chunk(void *ctx, const lrc_chunk *chunk)
{
    lrc_run *run = ctx;
    const fp_mode mode = fp_enter(run->plan->keep_subnormals);
    do_pieces(run, chunk);
    fp_leave(mode);
}

/* Do the work of a pass by n chunks. */
static void do_pass(lrc_run *run, int n)
{
    run->pieces = run->backwards ? pieces_of(run->plan->total, n) : 1;
    if (run->threads == 1) /* in the mode that is set already */
        do_pieces(run, &(lrc_chunk){0, 1});
    else
        lrc_parallel(run->threads, n, do_chunk, run);
    /* The pass that makes factors touches no gradients: what is in the cache stays. */
    if (run->pass != &lrc_make_pass) run->backwards = !run->backwards;
}

static void run_passes(lrc_run *run)
{
    const size_t total = run->plan->total;
    run->threads =
        lrc_threads_for(total, run->plan->parallel_from, run->plan->num_threads);
    const int chunks = run->threads == 1 ? 1 : lrc_chunks_for(total, run->threads);

    for (const lrc_pass *const *next = run->passes; *next; next++) {
        const lrc_pass *pass = *next;
        if (!(run->asked & pass->asked) || run->result != pass->result) continue;
        run->pass = pass;
        if (pass->work) do_pass(run, pass->by_units ? run->threads : chunks);
        if (pass->merges && run->plan->merge) merge(run);
        if (pass->meet && run->result == pass->result) pass->meet(run);
    }
}

int lrc_run_passes(lrc_run *run, lrc_plan *plan, const lrc_pass *const *passes)
{
    if (!plan->work) return LRC_REFUSED;
    run->plan = plan;
    run->passes = passes;
    run->table = lrc_current_tables();
    run->result = LRC_TAKEN;
    lay_out(run, plan, all_units(plan), 0, plan->work);
    run->asked |= asked_for(plan);
    run->caller = fp_enter(plan->keep_subnormals);
    run_passes(run);
    fp_leave(run->caller);
    return run->result;
}
