/* step.c: from a plan to kernel calls, in one parallel region, after another one where
 * norms are asked for.  The only OpenMP. */

#include "kernels.h"
#include "portable.h"

#include <stdatomic.h>

#ifdef _OPENMP
#include <omp.h>
#include <pthread.h>
#endif

/* --- threads ---------------------------------------------------------------------- */

static atomic_int num_threads; /* 0: the default */

#ifdef _OPENMP

#ifdef OPENMP_IS_LIBGOMP
/* libgomp's pool of threads does not outlive a fork: a child that steps would wait for
 * threads that it does not have.  Resting the pool before each fork lets parent and child
 * make their own anew (about 0.5 ms).  One handler a process, for forks made in C too. */
static void rest_pool(void) { (void)omp_pause_resource_all(omp_pause_hard); }

__attribute__((constructor)) static void guard_fork(void)
{
    (void)pthread_atfork(rest_pool, NULL, NULL);
}
#endif

int lrc_has_openmp(void) { return 1; }

static int default_threads(void) { return omp_get_max_threads(); }

/* More threads than these gain nothing, and OpenMP ends the process where it cannot make
 * one.  Asked only for great numbers, as the answer takes a system call. */
static int most_threads(void) { return 4 * omp_get_num_procs(); }

/* fn(ctx, k, n) for k in [0, n), side by side; n is at most n_threads, as OpenMP
 * grants. */
static void parallel_for(int n_threads, void (*fn)(const void *, int, int),
                         const void *ctx)
{
#pragma omp parallel num_threads(n_threads)
    fn(ctx, omp_get_thread_num(), omp_get_num_threads());
}

#else

int lrc_has_openmp(void) { return 0; }

static int default_threads(void) { return 1; }

static int most_threads(void) { return 1; }

static void parallel_for(int n_threads, void (*fn)(const void *, int, int),
                         const void *ctx)
{
    for (int k = 0; k < n_threads; k++) fn(ctx, k, n_threads);
}

#endif

int lrc_num_threads(void)
{
    const int n = atomic_load_explicit(&num_threads, memory_order_relaxed);
    return n > 0 && lrc_has_openmp() ? n : default_threads();
}

void lrc_set_num_threads(int n)
{
    atomic_store_explicit(&num_threads, n, memory_order_relaxed);
}

/* --- a plan's elements ------------------------------------------------------------ */

static size_t strips(size_t n) { return n / LRC_STRIP + (n % LRC_STRIP != 0); }

void lrc_plan_tensors(lrc_plan *plan)
{
    plan->total = plan->n_strips = 0;
    for (size_t i = 0; i < plan->n_tensors; i++) {
        lrc_tensor *t = plan->tensor + i;
        t->first = plan->total;
        t->first_strip = plan->n_strips;
        plan->total += t->n;
        plan->n_strips += strips(t->n);
    }
}

enum { LINE = 64 }; /* elements: whole cache lines in each dtype */

/* Where thread k of n begins in a plan of `total` elements: even shares, in whole cache
 * lines, so that a shared line is the exception.
 *
 *     total = 1000, n = 3:     k     0    1    2     3
 *                              cut   0  320  640  1000  */
static size_t cut(size_t total, int k, int n)
{
    return k == n ? total : total / (size_t)n * (size_t)k / LINE * LINE;
}

/* The last tensor whose first element, or strip, is `at` or one before. */
static const lrc_tensor *tensor_at(const lrc_plan *plan, size_t at, int in_strips)
{
    size_t lo = 0, hi = plan->n_tensors;
    while (hi - lo > 1) {
        const size_t mid = lo + (hi - lo) / 2;
        const lrc_tensor *t = plan->tensor + mid;
        if ((in_strips ? t->first_strip : t->first) <= at)
            lo = mid;
        else
            hi = mid;
    }
    return plan->tensor + lo;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static size_t size_of(lrc_dtype dtype)
{
    return dtype == LRC_F32 ? sizeof(float) : sizeof(double);
}

static void *at_element(void *array, lrc_dtype dtype, size_t i)
{
    return (char *)array + i * size_of(dtype);
}

static const void *coefs(const lrc_group *group, lrc_dtype dtype)
{
    return dtype == LRC_F32 ? (const void *)group->coef_f32 : group->coef_f64;
}

/* A strip's gradient, where it has to be made. */
typedef double strip_t[LRC_STRIP];

/* The tensor that elements from `lo` on are by themselves, with that gradient. */
static lrc_tensor strip_of(const lrc_tensor *t, size_t lo, const void *g)
{
    lrc_tensor strip = *t;
    strip.p = at_element(t->p, t->dtype, lo);
    strip.g = g;
    for (int k = 0; k < LRC_MAX_STATES; k++)
        if (t->s[k]) strip.s[k] = at_element(t->s[k], t->dtype, lo);
    return strip;
}

/* Step elements [lo, lo + n) of a tensor: strip by strip, where there is more to do than
 * to run the kernel. */
static void step_range(const lrc_table *table, const lrc_group *group,
                       const lrc_tensor *t, size_t lo, size_t n)
{
    const lrc_tensor *from = t;
    lrc_tensor emitted;
    if (lrc_scales[group->scale].emits) {
        emitted = *t;
        emitted.g = t->u;
        from = &emitted;
    }
    const int factored = t->factors.factoring != LRC_UNFACTORED;
    const size_t strip = group->averages || factored ? LRC_STRIP : n;
    const void *c = coefs(group, t->dtype);

    for (size_t done = 0; done < n; done += strip) {
        const size_t at = lo + done, len = least(strip, n - done);
        if (factored) {
            strip_t g;
            table->unfactor[t->dtype](t, at, len, g);
            const lrc_tensor made = strip_of(t, at, g);
            group->kernel[t->dtype](&made, 0, len, c);
        } else {
            group->kernel[t->dtype](from, at, len, c);
        }
        for (int k = 0; group->averages && k < LRC_MAX_AVERAGES; k++)
            if (t->a[k] && group->average[k].weight != 0)
                table->average[t->dtype](
                    at_element(t->a[k], t->dtype, at), at_element(t->p, t->dtype, at),
                    len, group->average[k].weight, group->average[k].pulls);
    }
}

/* Step the share of thread k of n. */
static void step_share(const lrc_plan *plan, int k, int n)
{
    const lrc_table *table = lrc_current_table();
    const size_t end = cut(plan->total, k + 1, n);
    size_t at = cut(plan->total, k, n);

    for (const lrc_tensor *t = tensor_at(plan, at, 0); at < end; t++) {
        const size_t lo = at - t->first, len = least(t->n - lo, end - at);
        step_range(table, plan->group + t->group, t, lo, len);
        at += len;
    }
}

/* Sum the squares that scales ask for, strip by strip, in the share of thread k of n; and
 * emit where they ask for that. */
static void measure_share(const lrc_plan *plan, int k, int n)
{
    const lrc_table *table = lrc_current_table();
    const size_t first = plan->n_strips * (size_t)k / (size_t)n;
    const size_t end = plan->n_strips * (size_t)(k + 1) / (size_t)n;
    const lrc_tensor *t = tensor_at(plan, first, 1);

    for (size_t strip = first; strip < end; strip++) {
        while (strip - t->first_strip >= strips(t->n)) t++;
        const lrc_group *group = plan->group + t->group;
        if (group->scale == LRC_NO_SCALE) continue;
        const size_t lo = (strip - t->first_strip) * LRC_STRIP;
        const size_t len = least(LRC_STRIP, t->n - lo);
        const void *x = (const char *)t->g + lo * size_of(t->dtype);
        strip_t made;
        if (t->factors.factoring != LRC_UNFACTORED) {
            table->unfactor[t->dtype](t, lo, len, made);
            x = made;
        } else if (lrc_scales[group->scale].emits) {
            group->kernel[t->dtype](t, lo, len, coefs(group, t->dtype));
            x = at_element(t->u, t->dtype, lo);
        }
        plan->squares[strip].x = table->squares[t->dtype](x, len);
        plan->squares[strip].p =
            table->squares[t->dtype](at_element(t->p, t->dtype, lo), len);
    }
}

/* The same in a thread of its own, whose floating-point mode is not the caller's. */
static void step_share_in_thread(const void *ctx, int k, int n)
{
    const lrc_plan *plan = ctx;
    const fp_mode mode = fp_enter(plan->keep_subnormals);
    step_share(plan, k, n);
    fp_leave(mode);
}

static void measure_share_in_thread(const void *ctx, int k, int n)
{
    const lrc_plan *plan = ctx;
    const fp_mode mode = fp_enter(plan->keep_subnormals);
    measure_share(plan, k, n);
    fp_leave(mode);
}

/* --- a step ----------------------------------------------------------------------- */

static lrc_form form(double gscale, double l2, double decay)
{
    if (l2 != 0) return LRC_COUPLED;
    return gscale == 1 && decay == 1 ? LRC_PLAIN : LRC_SCALED;
}

/* Round the coefficients and look up the kernels that they ask for, in each type. */
static void prepare(lrc_group *group, const lrc_table *table, lrc_rule rule, int emit)
{
    const double *c = group->coef_f64;
    float *f = group->coef_f32;
    for (int i = 0; i < LRC_MAX_COEFS; i++) f[i] = (float)c[i];

    group->kernel[LRC_F32] =
        table->kernel[rule][LRC_F32][emit ? LRC_EMITTED : form(f[0], f[1], f[2])];
    group->kernel[LRC_F64] =
        table->kernel[rule][LRC_F64][emit ? LRC_EMITTED : form(c[0], c[1], c[2])];
}

static int has_average(const lrc_group *group)
{
    for (int k = 0; k < LRC_MAX_AVERAGES; k++)
        if (group->average[k].weight != 0) return 1;
    return 0;
}

/* Make a tensor's numbers from its norms.  What has been emitted is a gradient now: see
 * step_range(). */
static void scale(const lrc_plan *plan, const lrc_tensor *t, const lrc_table *table)
{
    lrc_group *group = plan->group + t->group;
    if (group->scale == LRC_NO_SCALE) return;

    lrc_norms norms = {0, 0, (double)t->n};
    const lrc_squares *part = plan->squares + t->first_strip;
    for (size_t i = 0; i < strips(t->n); i++) {
        norms.xx += part[i].x;
        norms.pp += part[i].p;
    }
    lrc_scale_fns[group->scale](group->scale_coef, &norms, t->scale_state,
                                group->coef_f64);

    const int emits = lrc_scales[group->scale].emits;
    prepare(group, table, emits ? LRC_sgd : group->rule, 0);
}

/* How many threads share so many elements: what is asked for, within reason. */
static int threads_for(size_t total, size_t parallel_from, int num_threads)
{
    enum { FEW = 8 };
    if (total < parallel_from) return 1;
    int n = num_threads > 0 ? num_threads : lrc_num_threads();
    if (n > FEW) {
        const int most = most_threads();
        if (n > most) n = most > FEW ? most : FEW;
    }
    return n;
}

void lrc_step(lrc_plan *plan)
{
    const lrc_table *table = lrc_current_table();
    const int n = threads_for(plan->total, plan->parallel_from, plan->num_threads);
    const fp_mode caller = fp_enter(plan->keep_subnormals);
    int scales = 0;

    for (size_t i = 0; i < plan->n_groups; i++) {
        lrc_group *group = plan->group + i;
        for (int k = 0; k < LRC_MAX_COEFS; k++) group->coef_f64[k] = group->coef[k];
        prepare(group, table, group->rule, lrc_scales[group->scale].emits);
        group->averages = has_average(group);
        scales |= group->scale != LRC_NO_SCALE;
    }
    if (scales) {
        if (n > 1)
            parallel_for(n, measure_share_in_thread, plan);
        else if (plan->total > 0)
            measure_share(plan, 0, 1);
        for (size_t i = 0; i < plan->n_tensors; i++)
            scale(plan, plan->tensor + i, table);
    }
    if (n > 1)
        parallel_for(n, step_share_in_thread, plan);
    else if (plan->total > 0)
        step_share(plan, 0, 1);
    fp_leave(caller);
}

/* --- factored second moments ------------------------------------------------------ */

typedef struct {
    const lrc_tensor *t;
    double *row, *col;
    int keep_subnormals;
} factor_task;

/* The rows that thread k of n has, then its columns: of them all rows, in order. */
static void factor_share(const void *ctx, int k, int n)
{
    const factor_task *task = ctx;
    const lrc_tensor *t = task->t;
    const lrc_factors *f = &t->factors;
    const lrc_table *table = lrc_current_table();
    const fp_mode mode = fp_enter(task->keep_subnormals);
    const size_t rows = t->n / f->n_cols;
    const size_t from = cut(f->n_cols, k, n), len = cut(f->n_cols, k + 1, n) - from;

    for (size_t i = rows * (size_t)k / (size_t)n;
         i < rows * (size_t)(k + 1) / (size_t)n; i++) {
        const size_t lo = i * f->n_cols;
        const char *g = (const char *)t->g + lo * size_of(t->dtype);
        task->row[i] = f->factoring == LRC_LEAST
                           ? table->row_most[t->dtype](t, lo, f->n_cols)
                           : table->squares[t->dtype](g, f->n_cols);
    }
    for (size_t i = 0; len > 0 && i < rows; i++) {
        double *col = task->col + i / f->n_rows * f->n_cols + from;
        if (i % f->n_rows == 0)
            for (size_t j = 0; j < len; j++) col[j] = 0;
        table->col_stat[t->dtype](t, i * f->n_cols + from, len, col);
    }
    fp_leave(mode);
}

void lrc_factor_stats(const lrc_tensor *t, double *row, double *col, int num_threads,
                      int keep_subnormals)
{
    const factor_task task = {t, row, col, keep_subnormals};
    const int n = threads_for(t->n, LRC_PARALLEL_FROM, num_threads);
    if (t->n == 0) return;
    if (n > 1)
        parallel_for(n, factor_share, &task);
    else
        factor_share(&task, 0, 1);
}
