/* step.c: from a plan to kernel calls, in one parallel region.  Where gradients are
 * treated, or a scale asks for norms, the threads meet in between, and one of them makes
 * numbers from the sums of all. */

#include <math.h>
#include <string.h>

#include "kernels.h"
#include "portable.h"
#include "threads.h"

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

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static size_t size_of(lrc_dtype dtype)
{
    return dtype == LRC_F32 ? sizeof(float) : sizeof(double);
}

static void *at_element(const void *array, lrc_dtype dtype, size_t i)
{
    return (char *)array + i * size_of(dtype);
}

/* A strip of one tensor: elements [lo, lo + n), and where its sums go. */
typedef struct {
    const lrc_tensor *t;
    const lrc_group *group;
    size_t lo, n;
    lrc_sums *sums;
} strip;

/* Its number among those of the plan. */
static size_t strip_of(const strip *s) { return s->t->first_strip + s->lo / LRC_STRIP; }

/* The last tensor whose first element is `at` or one before. */
static const lrc_tensor *tensor_at(const lrc_plan *plan, size_t at)
{
    size_t lo = 0, hi = plan->n_tensors;
    while (hi - lo > 1) {
        const size_t mid = lo + (hi - lo) / 2;
        if (plan->tensor[mid].first <= at)
            lo = mid;
        else
            hi = mid;
    }
    return plan->tensor + lo;
}

/* The elements of a plan that thread k of n has: whole strips, so that sums by strips do
 * not depend on n, in shares that are even but for that. */
typedef struct {
    const lrc_plan *plan;
    const lrc_tensor *t, *last; /* where it is, and the tensor of its end, */
    size_t lo, end;             /* with the places there */
} share;

static const lrc_tensor *cut(const lrc_plan *plan, int k, int n, size_t *lo)
{
    if (k == n || plan->n_tensors == 0) {
        *lo = 0;
        return plan->tensor + plan->n_tensors;
    }
    const size_t at = plan->total / (size_t)n * (size_t)k;
    const lrc_tensor *t = k == 0 ? plan->tensor : tensor_at(plan, at);
    *lo = (at - t->first) / LRC_STRIP * LRC_STRIP;
    return t;
}

static share share_of(const lrc_plan *plan, int k, int n)
{
    share s = {.plan = plan};
    s.t = cut(plan, k, n, &s.lo);
    s.last = cut(plan, k + 1, n, &s.end);
    return s;
}

/* Whether there is nothing to do but to run the kernel. */
static int is_plain(const lrc_group *group, const lrc_tensor *t)
{
    return group->plain && t->factors.factoring == LRC_UNFACTORED && !t->mechanic_delta;
}

/* The next strip, or where `runs` is set and the kernel has a tensor to itself, all its
 * strips at once; 0 at the end. */
static int next(share *s, int runs, strip *found)
{
    for (; s->t < s->last || (s->t == s->last && s->lo < s->end); s->t++, s->lo = 0) {
        const size_t end = s->t == s->last ? s->end : s->t->n;
        if (s->lo == end) continue;
        found->t = s->t;
        found->group = s->plan->group + s->t->group;
        found->lo = s->lo;
        found->n = runs && is_plain(found->group, s->t) ? end - s->lo
                                                        : least(LRC_STRIP, end - s->lo);
        found->sums = s->plan->sums ? s->plan->sums + strip_of(found) : NULL;
        s->lo += found->n;
        return 1;
    }
    return 0;
}

/* --- gradients -------------------------------------------------------------------- */

/* What is made of a strip's gradient, in the cache. */
typedef double made_t[LRC_STRIP];

static int has_units(const strip *s)
{
    return s->group->agc != 0 && s->t->units.outer * s->t->units.inner > 1;
}

/* The gradient of a strip as gathered. */
static const void *gathered(const lrc_table *const *tables, const lrc_plan *plan,
                            const strip *s, void *made)
{
    const lrc_tensor *t = s->t;
    const void *g = at_element(t->g, t->dtype, s->lo);
    if (!plan->gathered) return g;
    tables[t->dtype]->sum(at_element(t->acc, t->dtype, s->lo), g, s->n, made);
    return made;
}

/* The same clipped by value. */
static const void *clamped(const lrc_table *const *tables, const lrc_plan *plan,
                           const strip *s, const void *g, void *made)
{
    if (s->group->clip_value == 0) return g;
    const double most = s->group->clip_value / fabs(plan->grad_scale);
    tables[s->t->dtype]->clamp(g, most, s->n, made);
    return made;
}

/* The gradient of a strip as the driver takes it, but for the factors of the whole
 * tensor. */
static const void *treated(const lrc_table *const *tables, const lrc_plan *plan,
                           const strip *s, void *made)
{
    if (plan->treated) return at_element(s->t->g, s->t->dtype, s->lo);
    const void *g = gathered(tables, plan, s, made);
    g = clamped(tables, plan, s, g, made);
    if (!has_units(s)) return g;
    tables[s->t->dtype]->multiply_units(s->t, g, s->lo, s->n, made);
    return made;
}

/* How many elements of g, whose squares have been summed, are not finite. */
static size_t count(const lrc_table *const *tables, const strip *s, const void *g)
{
    return isfinite(s->sums->g) ? 0 : tables[s->t->dtype]->nonfinite(g, s->n);
}

/* Sum the squares of gradients, and check them. */
static void measure_share(const lrc_table *const *tables, const lrc_plan *plan, int k,
                          int n)
{
    share mine = share_of(plan, k, n);
    made_t made;
    for (strip s; next(&mine, 0, &s);) {
        const lrc_dtype dtype = s.t->dtype;
        const void *g = gathered(tables, plan, &s, made);
        s.sums->g = s.sums->x = tables[dtype]->squares(g, s.n);
        s.sums->nonfinite = count(tables, &s, g);
        if (s.group->clip_value != 0)
            s.sums->x = tables[dtype]->squares(clamped(tables, plan, &s, g, made), s.n);
        if (s.group->agc != 0)
            s.sums->p = tables[dtype]->squares(at_element(s.t->p, dtype, s.lo), s.n);
    }
}

/* --- units of adaptive clipping --------------------------------------------------- */

enum { LINE = 64 }; /* elements: whole cache lines in each dtype */

/* Where thread k of n begins among `total` columns. */
static size_t column(size_t total, int k, int n)
{
    return k == n ? total : total / (size_t)n * (size_t)k / LINE * LINE;
}

/* Sum the squares of unit u, whose elements follow each other. */
static void measure_row(const lrc_table *const *tables, const lrc_plan *plan, strip s,
                        size_t u)
{
    const lrc_units *units = &s.t->units;
    made_t made;
    units->gg[u] = units->pp[u] = 0;
    for (size_t done = 0; done < units->reduced; done += LRC_STRIP) {
        s.lo = u * units->reduced + done;
        s.n = least(LRC_STRIP, units->reduced - done);
        const void *g =
            clamped(tables, plan, &s, gathered(tables, plan, &s, made), made);
        const void *p = at_element(s.t->p, s.t->dtype, s.lo);
        units->gg[u] += tables[s.t->dtype]->squares(g, s.n);
        units->pp[u] += tables[s.t->dtype]->squares(p, s.n);
    }
}

/* Sum the squares of units [from, end) of those that lie side by side in `outer`. */
static void measure_columns(const lrc_table *const *tables, const lrc_plan *plan,
                            strip s, size_t outer, size_t from, size_t end)
{
    const lrc_units *units = &s.t->units;
    made_t made;
    for (size_t at = from; at < end; at += LRC_STRIP) {
        double *gg = units->gg + outer * units->inner + at;
        double *pp = units->pp + outer * units->inner + at;
        s.n = least(LRC_STRIP, end - at);
        memset(gg, 0, s.n * sizeof *gg);
        memset(pp, 0, s.n * sizeof *pp);
        for (size_t i = 0; i < units->reduced; i++) {
            s.lo = (outer * units->reduced + i) * units->inner + at;
            const void *g =
                clamped(tables, plan, &s, gathered(tables, plan, &s, made), made);
            const void *p = at_element(s.t->p, s.t->dtype, s.lo);
            tables[s.t->dtype]->add_squares(g, s.n, gg);
            tables[s.t->dtype]->add_squares(p, s.n, pp);
        }
    }
}

/* Sum the squares of units, each by one thread. */
static void measure_units(const lrc_table *const *tables, const lrc_plan *plan, int k,
                          int n)
{
    for (size_t i = 0; i < plan->n_tensors; i++) {
        strip s = {.t = plan->tensor + i};
        s.group = plan->group + s.t->group;
        if (!has_units(&s) || s.t->n == 0) continue;
        const lrc_units *units = &s.t->units;
        const size_t from = column(units->inner, k, n);
        const size_t end = column(units->inner, k + 1, n);
        const size_t rows = units->inner == 1 ? units->outer : 0;
        for (size_t u = rows * (size_t)k / (size_t)n;
             u < rows * (size_t)(k + 1) / (size_t)n; u++)
            measure_row(tables, plan, s, u);
        for (size_t outer = 0; !rows && outer < units->outer; outer++)
            measure_columns(tables, plan, s, outer, from, end);
    }
}

/* The factor that makes a norm at most `most`; 1 where it is not finite. */
static double clip(double norm, double most)
{
    return norm > most && isfinite(norm) ? most / norm : 1;
}

static double agc_most(const lrc_group *group, double pp)
{
    const double p = sqrt(pp);
    return group->agc * (p > group->agc_eps ? p : group->agc_eps);
}

/* Make the factors of a tensor's units.  scale: what g has been multiplied by.  Returns
 * the sum of squares of what they leave of `total`. */
static double clip_units(const lrc_group *group, const lrc_tensor *t, double scale,
                         double total)
{
    const lrc_units *units = &t->units;
    double left = 0;
    int clips = 0;
    for (size_t u = 0; t->n > 0 && u < units->outer * units->inner; u++) {
        const double g = scale * sqrt(units->gg[u]);
        const double f = clip(g, agc_most(group, units->pp[u]));
        if (t->dtype == LRC_F32)
            ((float *)units->factor)[u] = (float)f;
        else
            ((double *)units->factor)[u] = f;
        left += f * g * (f * g);
        clips |= f != 1;
    }
    return clips ? left : total;
}

/* What a tensor's strips sum up to, in order. */
static lrc_sums sums_of(const lrc_plan *plan, const lrc_tensor *t)
{
    lrc_sums all = {0};
    const lrc_sums *part = plan->sums + t->first_strip;
    for (size_t i = 0; i < strips(t->n); i++) {
        all.g += part[i].g;
        all.x += part[i].x;
        all.p += part[i].p;
        all.u += part[i].u;
        all.nonfinite += part[i].nonfinite;
    }
    return all;
}

/* Make the factors by which gradients are clipped, and decide whether the step is
 * taken. */
static void treat(lrc_plan *plan)
{
    const double scale = fabs(plan->grad_scale);
    size_t nonfinite = 0;
    double total = 0;

    for (size_t i = 0; i < plan->n_tensors; i++) {
        const lrc_tensor *t = plan->tensor + i;
        const strip whole = {.t = t, .group = plan->group + t->group};
        lrc_group *group = plan->group + t->group;
        const lrc_sums sums = sums_of(plan, t);
        const double g = scale * scale * sums.x, norm = sqrt(g);
        double f = 1;
        if (group->clip_norm != 0) f = clip(norm, group->clip_norm);
        if (group->agc != 0 && !has_units(&whole))
            f *= clip(f * norm, agc_most(group, sums.p));
        double left = f * f * g;
        if (has_units(&whole)) left = clip_units(group, t, f * scale, left);
        group->factor *= f; /* 1, where the group has more tensors */
        total += left;
        nonfinite += sums.nonfinite;
        if (plan->report) {
            lrc_report *report = plan->report + i;
            report->g = scale * scale * sums.g;
            report->clipped = left;
            report->u = 0; /* p stays */
            report->nonfinite = sums.nonfinite;
        }
    }

    const double f =
        plan->clip_norm == 0 ? 1 : clip(sqrt(total) + plan->clip_eps, plan->clip_norm);
    for (size_t i = 0; f != 1 && i < plan->n_groups; i++) plan->group[i].factor *= f;
    for (size_t i = 0; plan->report && i < plan->n_tensors; i++)
        plan->report[i].clipped *= f * f;
    plan->applied = !(plan->skip_nonfinite && nonfinite > 0);
}

/* --- numbers and kernels ---------------------------------------------------------- */

static lrc_form form(double gscale, double l2, double decay, int measured)
{
    if (measured) return LRC_MEASURED;
    if (l2 != 0) return LRC_COUPLED;
    return gscale == 1 && decay == 1 ? LRC_PLAIN : LRC_SCALED;
}

/* Round the coefficients and look up the kernels that they ask for, in each type. */
static void prepare(const lrc_plan *plan, lrc_group *group,
                    const lrc_table *const *tables, lrc_rule rule, int emit)
{
    const double *c = group->coef_f64;
    float *f = group->coef_f32;
    const int measured = plan->report != NULL;
    for (int i = 0; i < LRC_MAX_COEFS; i++) f[i] = (float)c[i];

    const lrc_form f32 = emit ? LRC_EMITTED : form(f[0], f[1], f[2], measured);
    const lrc_form f64 = emit ? LRC_EMITTED : form(c[0], c[1], c[2], measured);
    group->kernel[LRC_F32] = tables[LRC_F32]->kernel[rule][f32];
    group->kernel[LRC_F64] = tables[LRC_F64]->kernel[rule][f64];
}

static int has_average(const lrc_group *group)
{
    for (int k = 0; k < LRC_MAX_AVERAGES; k++)
        if (group->average[k].weight != 0) return 1;
    return 0;
}

static void prepare_all(const lrc_plan *plan, const lrc_table *const *tables)
{
    for (size_t i = 0; i < plan->n_groups; i++) {
        lrc_group *group = plan->group + i;
        memcpy(group->coef_f64, group->coef, sizeof group->coef);
        group->coef_f64[0] *= group->factor;
        prepare(plan, group, tables, group->rule, lrc_scales[group->scale].emits);
        group->plain = !plan->report && !plan->zero_grads && !plan->gathered &&
                       group->clip_value == 0 && group->agc == 0 && !has_average(group);
    }
}

static const void *coefs(const lrc_group *group, lrc_dtype dtype)
{
    return dtype == LRC_F32 ? (const void *)group->coef_f32 : group->coef_f64;
}

/* --- a strip's step --------------------------------------------------------------- */

/* The tensor that a strip is by itself, with the gradient `g`. */
static lrc_tensor alone(const strip *s, const void *g)
{
    lrc_tensor t = *s->t;
    t.p = at_element(t.p, t.dtype, s->lo);
    t.g = (void *)g;
    if (t.u) t.u = at_element(t.u, t.dtype, s->lo);
    for (int k = 0; k < LRC_MAX_STATES; k++)
        if (t.s[k]) t.s[k] = at_element(t.s[k], t.dtype, s->lo);
    return t;
}

/* Run the rule on a strip with the gradient `g`, which may be where the tensor has it. */
static void run_kernel(const strip *s, const void *g)
{
    const lrc_dtype dtype = s->t->dtype;
    const void *c = coefs(s->group, dtype);
    if (g == at_element(s->t->g, dtype, s->lo)) {
        s->group->kernel[dtype](s->t, s->lo, s->n, c, s->sums);
    } else {
        const lrc_tensor t = alone(s, g);
        s->group->kernel[dtype](&t, 0, s->n, c, s->sums);
    }
}

/* The gradient that the rule takes: what was emitted, or is treated, or over its factored
 * root. */
static const void *direction(const lrc_table *const *tables, const lrc_plan *plan,
                             const strip *s, void *made)
{
    const lrc_tensor *t = s->t;
    if (lrc_scales[s->group->scale].emits) return at_element(t->u, t->dtype, s->lo);
    if (t->factors.factoring == LRC_UNFACTORED) return treated(tables, plan, s, made);
    tables[t->dtype]->unfactor(t, s->lo, s->n, made);
    return made;
}

static void step_strip(const lrc_table *const *tables, const lrc_plan *plan,
                       const strip *s)
{
    const lrc_tensor *t = s->t;
    const lrc_dtype dtype = t->dtype;
    void *p = at_element(t->p, dtype, s->lo);
    made_t made;

    const void *g = direction(tables, plan, s, made);
    if (t->mechanic_delta)
        tables[dtype]->mechanic_begin(t, s->lo, s->n, &s->group->mechanic);
    run_kernel(s, g);
    if (plan->report) s->sums->nonfinite = count(tables, s, g);
    if (t->mechanic_delta)
        tables[dtype]->mechanic(t, s->lo, s->n, &s->group->mechanic,
                                plan->report ? s->sums : NULL);
    for (int k = 0; k < LRC_MAX_AVERAGES; k++) {
        const lrc_average *a = s->group->average + k;
        if (t->a[k] && a->weight != 0)
            tables[dtype]->average(at_element(t->a[k], dtype, s->lo), p, s->n,
                                   a->weight, a->pulls);
    }
    if (plan->zero_grads)
        memset(at_element(t->g, dtype, s->lo), 0, s->n * size_of(dtype));
}

static void step_share(const lrc_table *const *tables, const lrc_plan *plan, int k,
                       int n)
{
    share mine = share_of(plan, k, n);
    for (strip s; next(&mine, 1, &s);) step_strip(tables, plan, &s);
}

/* --- scales ----------------------------------------------------------------------- */

/* Sum the squares that scales ask for; and emit where they ask for that. */
static void scale_share(const lrc_table *const *tables, const lrc_plan *plan, int k,
                        int n)
{
    share mine = share_of(plan, k, n);
    made_t made;
    for (strip s; next(&mine, 0, &s);) {
        const lrc_dtype dtype = s.t->dtype;
        const void *x;
        if (s.group->scale == LRC_NO_SCALE) continue;
        if (lrc_scales[s.group->scale].emits) {
            run_kernel(&s, treated(tables, plan, &s, made));
            x = at_element(s.t->u, dtype, s.lo);
        } else {
            x = direction(tables, plan, &s, made);
        }
        s.sums->x = tables[dtype]->squares(x, s.n);
        s.sums->p = tables[dtype]->squares(at_element(s.t->p, dtype, s.lo), s.n);
    }
}

/* Make tensors' numbers from their norms.  What has been emitted is a gradient now: see
 * direction(). */
static void scale_all(const lrc_plan *plan, const lrc_table *const *tables)
{
    for (size_t i = 0; i < plan->n_tensors; i++) {
        const lrc_tensor *t = plan->tensor + i;
        lrc_group *group = plan->group + t->group;
        if (group->scale == LRC_NO_SCALE) continue;
        const lrc_sums sums = sums_of(plan, t);
        const lrc_norms norms = {sums.x, sums.p, (double)t->n};
        lrc_scale_fns[group->scale](group->scale_coef, &norms, t->scale_state,
                                    group->coef_f64);
        const int emits = lrc_scales[group->scale].emits;
        prepare(plan, group, tables, emits ? LRC_sgd : group->rule, 0);
    }
}

/* --- a step ----------------------------------------------------------------------- */

/* Whether clipping takes norms that are known beforehand; or a report, those of gradients
 * that the rule is not given as they are. */
static int clips(const lrc_plan *plan)
{
    for (size_t i = 0; i < plan->n_groups; i++) {
        const lrc_group *group = plan->group + i;
        if (group->clip_norm != 0 || group->agc != 0) return 1;
        if (plan->report && (group->clip_value != 0 || lrc_scales[group->scale].emits))
            return 1;
    }
    return plan->clip_norm != 0;
}

static int has_scales(const lrc_plan *plan)
{
    for (size_t i = 0; i < plan->n_groups; i++)
        if (plan->group[i].scale != LRC_NO_SCALE) return 1;
    return 0;
}

/* Whether a pass over the gradients comes first. */
static int measures(const lrc_plan *plan)
{
    return !plan->treated && (plan->skip_nonfinite || clips(plan));
}

int lrc_plan_treats(const lrc_plan *plan)
{
    int by_element = plan->gathered || plan->grad_scale != 1;
    for (size_t i = 0; i < plan->n_groups; i++)
        by_element |= plan->group[i].clip_value != 0;
    return by_element || measures(plan);
}

static void begin(lrc_plan *plan, const lrc_table *const *tables)
{
    plan->measures = measures(plan);
    plan->scales = has_scales(plan);
    plan->applied = 1;
    for (size_t i = 0; i < plan->n_groups; i++)
        plan->group[i].factor = plan->treated ? 1 : plan->grad_scale;
    if (!plan->measures) prepare_all(plan, tables);
}

static void zero_share(const lrc_plan *plan, int k, int n)
{
    share mine = share_of(plan, k, n);
    for (strip s; next(&mine, 0, &s);)
        memset(at_element(s.t->g, s.t->dtype, s.lo), 0, s.n * size_of(s.t->dtype));
}

/* What thread k of n does in lrc_treat() before it writes, and in lrc_step(). */
static void run_treatment(lrc_plan *plan, const lrc_table *const *tables, int k, int n)
{
    if (!plan->measures) return;
    measure_share(tables, plan, k, n);
    measure_units(tables, plan, k, n);
    lrc_meet(n);
    if (k == 0) {
        treat(plan);
        prepare_all(plan, tables);
    }
    lrc_meet(n);
}

static void run_step(void *ctx, int k, int n)
{
    lrc_plan *plan = ctx;
    const lrc_table *const *tables = lrc_current_tables();
    const fp_mode caller = fp_enter(plan->keep_subnormals);
    run_treatment(plan, tables, k, n);
    if (plan->applied) {
        if (plan->scales) {
            scale_share(tables, plan, k, n);
            lrc_meet(n);
            if (k == 0) scale_all(plan, tables);
            lrc_meet(n);
        }
        step_share(tables, plan, k, n);
    } else if (plan->zero_grads) {
        zero_share(plan, k, n);
    }
    fp_leave(caller);
}

/* What the step itself has measured of each tensor. */
static void report(const lrc_plan *plan)
{
    const double scale = plan->grad_scale * plan->grad_scale;
    for (size_t i = 0; i < plan->n_tensors; i++) {
        lrc_report *report = plan->report + i;
        const lrc_sums sums = sums_of(plan, plan->tensor + i);
        if (!plan->measures && !plan->treated) {
            report->g = scale * sums.g;
            report->clipped = scale * sums.x;
            report->nonfinite = sums.nonfinite;
        }
        report->p = sums.p;
        report->u = sums.u;
    }
}

static int threads(const lrc_plan *plan)
{
    return lrc_threads_for(plan->total, plan->parallel_from, plan->num_threads);
}

int lrc_step(lrc_plan *plan)
{
    const fp_mode caller = fp_enter(plan->keep_subnormals);
    begin(plan, lrc_current_tables());
    lrc_parallel_for(threads(plan), run_step, plan);
    if (plan->report && plan->applied) report(plan);
    fp_leave(caller);
    return plan->applied;
}

static void run_treat(void *ctx, int k, int n)
{
    lrc_plan *plan = ctx;
    const lrc_table *const *tables = lrc_current_tables();
    const fp_mode caller = fp_enter(plan->keep_subnormals);
    run_treatment(plan, tables, k, n);
    share mine = share_of(plan, k, n);
    made_t made;
    for (strip s; plan->applied && plan->out && next(&mine, 0, &s);) {
        const void *g = treated(tables, plan, &s, made);
        void *out = at_element(plan->out[s.t - plan->tensor], s.t->dtype, s.lo);
        if (g != out || s.group->factor != 1)
            tables[s.t->dtype]->multiply(g, s.group->factor, s.n, out);
    }
    fp_leave(caller);
}

int lrc_treat(lrc_plan *plan, void *const *out)
{
    const fp_mode caller = fp_enter(plan->keep_subnormals);
    begin(plan, lrc_current_tables());
    plan->out = out;
    plan->measures |= plan->report != NULL;
    lrc_parallel_for(threads(plan), run_treat, plan);
    fp_leave(caller);
    return plan->applied;
}

/* --- gathering -------------------------------------------------------------------- */

typedef struct {
    const lrc_plan *plan;
    int first;
} gathering;

static void run_gather(void *ctx, int k, int n)
{
    const gathering *task = ctx;
    const lrc_table *const *tables = lrc_current_tables();
    const fp_mode caller = fp_enter(task->plan->keep_subnormals);
    share mine = share_of(task->plan, k, n);
    for (strip s; next(&mine, 0, &s);) {
        const lrc_dtype dtype = s.t->dtype;
        void *acc = at_element(s.t->acc, dtype, s.lo);
        void *g = at_element(s.t->g, dtype, s.lo);
        if (task->first)
            memcpy(acc, g, s.n * size_of(dtype));
        else
            tables[dtype]->sum(acc, g, s.n, acc);
        if (task->plan->zero_grads) memset(g, 0, s.n * size_of(dtype));
    }
    fp_leave(caller);
}

void lrc_gather(lrc_plan *plan, int first)
{
    gathering task = {plan, first};
    lrc_parallel_for(threads(plan), run_gather, &task);
}

/* --- gauges ----------------------------------------------------------------------- */

typedef struct {
    const lrc_plan *plan;
    double *part;
} gauge_task;

static void gauge_strip(const lrc_table *const *tables, const strip *s, double *part)
{
    const lrc_group *group = s->group;
    const lrc_dtype dtype = s->t->dtype;
    double c[2 + LRC_MAX_GAUGE_COEFS];
    float f[2 + LRC_MAX_GAUGE_COEFS];

    memcpy(c, group->coef, 2 * sizeof *c);
    memcpy(c + 2, group->gauge_coef, sizeof group->gauge_coef);
    for (int i = 0; i < 2 + LRC_MAX_GAUGE_COEFS; i++) f[i] = (float)c[i];
    tables[dtype]->gauge[group->gauge](s->t, s->lo, s->n,
                                       dtype == LRC_F32 ? (const void *)f : c, part);
}

static void gauge_share(void *ctx, int k, int n)
{
    const gauge_task *task = ctx;
    const lrc_table *const *tables = lrc_current_tables();
    const fp_mode caller = fp_enter(task->plan->keep_subnormals);
    share mine = share_of(task->plan, k, n);
    for (strip s; next(&mine, 0, &s);)
        if (s.group->gauge != LRC_NO_GAUGE)
            gauge_strip(tables, &s, task->part + LRC_MAX_SUMS * strip_of(&s));
    fp_leave(caller);
}

void lrc_read_gauges(const lrc_plan *plan, double *part, double *sums)
{
    gauge_task task = {plan, part};
    lrc_parallel_for(threads(plan), gauge_share, &task);
    for (size_t i = 0; i < plan->n_tensors; i++) {
        const lrc_tensor *t = plan->tensor + i;
        const int n_sum = lrc_gauges[plan->group[t->group].gauge].n_sum;
        for (int k = 0; k < n_sum; k++) {
            double total = 0;
            for (size_t j = 0; j < strips(t->n); j++)
                total += part[LRC_MAX_SUMS * (t->first_strip + j) + (size_t)k];
            sums[LRC_MAX_SUMS * i + (size_t)k] = total;
        }
    }
}

/* --- factored second moments ------------------------------------------------------ */

typedef struct {
    const lrc_tensor *t;
    double *row, *col;
    int keep_subnormals;
} factor_task;

/* The rows that thread k of n has, then its columns: of them all rows, in order. */
static void factor_share(void *ctx, int k, int n)
{
    const factor_task *task = ctx;
    const lrc_tensor *t = task->t;
    const lrc_factors *f = &t->factors;
    const lrc_table *const *tables = lrc_current_tables();
    const fp_mode mode = fp_enter(task->keep_subnormals);
    const size_t rows = t->n / f->n_cols;
    const size_t from = column(f->n_cols, k, n);
    const size_t len = column(f->n_cols, k + 1, n) - from;

    for (size_t i = rows * (size_t)k / (size_t)n;
         i < rows * (size_t)(k + 1) / (size_t)n; i++) {
        const size_t lo = i * f->n_cols;
        const char *g = (const char *)t->g + lo * size_of(t->dtype);
        task->row[i] = f->factoring == LRC_LEAST
                           ? tables[t->dtype]->row_most(t, lo, f->n_cols)
                           : tables[t->dtype]->squares(g, f->n_cols);
    }
    for (size_t i = 0; len > 0 && i < rows; i++) {
        double *col = task->col + i / f->n_rows * f->n_cols + from;
        if (i % f->n_rows == 0) memset(col, 0, len * sizeof *col);
        tables[t->dtype]->col_stat(t, i * f->n_cols + from, len, col);
    }
    fp_leave(mode);
}

void lrc_factor_stats(const lrc_tensor *t, double *row, double *col, int num_threads,
                      int keep_subnormals)
{
    factor_task task = {t, row, col, keep_subnormals};
    if (t->n == 0) return;
    lrc_parallel_for(lrc_threads_for(t->n, LRC_PARALLEL_FROM, num_threads),
                     factor_share, &task);
}

/* --- for benchmarks --------------------------------------------------------------- */

typedef struct {
    const float *g;
    float *const *arrays;
    int n_arrays;
    size_t n;
} traffic_task;

static void traffic_share(void *ctx, int k, int n)
{
    const traffic_task *task = ctx;
    const size_t from = column(task->n, k, n), end = column(task->n, k + 1, n);
    lrc_current_tables()[LRC_F32]->traffic(task->g, task->arrays, task->n_arrays, from,
                                           end - from);
}

void lrc_traffic(const float *g, float *const *arrays, int n_arrays, size_t n,
                 int num_threads)
{
    traffic_task task = {g, arrays, n_arrays, n};
    lrc_parallel_for(lrc_threads_for(n, LRC_PARALLEL_FROM, num_threads), traffic_share,
                     &task);
}
