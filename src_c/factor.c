/* factor.c: second moments that are factored into sides, or whole: the direction that
 * is made of a gradient, and the pass that keeps new factors. */

#include "factor.h"

#include <float.h>

lrc_shape lrc_shape_of(const lrc_tensor *t)
{
    const lrc_factors *f = &t->factors;
    if (lrc_own(t) == 0 || f->n_sides < 2) return (lrc_shape){0, 0, 0};
    const size_t n_cols = f->side[f->n_sides - 1].n;
    const size_t n_rows = f->n_sides == 2 ? f->side[0].n : t->n / n_cols;
    return (lrc_shape){t->n / n_cols / n_rows, n_rows, n_cols};
}

size_t lrc_factor_work(const lrc_tensor *t)
{
    const size_t product = lrc_product_work(t), least = lrc_least_work(t);
    return product > least ? product : least;
}

size_t lrc_share(const lrc_view *part, size_t total, size_t *end)
{
    const double each = (double)total / (double)part->tensor->n;
    const size_t last = part->at + part->n;
    *end = last == part->tensor->n ? total : (size_t)(each * (double)last);
    return (size_t)(each * (double)part->at);
}

lrc_moment lrc_moment_of(const lrc_run *run, const lrc_tensor *t)
{
    const lrc_group *group = run->plan->group + t->group;
    const double *c = group->factor_coef;
    const double largest = t->dtype == LRC_F32 ? (double)FLT_MAX : DBL_MAX;
    const double normal = t->dtype == LRC_F32 ? (double)FLT_MIN : DBL_MIN;
    const double epsilon = t->dtype == LRC_F32 ? (double)FLT_EPSILON : DBL_EPSILON;

    if (group->factoring == LRC_LEAST) /* so that the next g^2 can be added */
        return (lrc_moment){.most = largest / 2, .floor = c[0]};
    const double eps = c[1] < 0 ? epsilon : c[1], least = c[2] != 0 ? 0 : eps;
    return (lrc_moment){
        .w = c[0],
        .more = eps - least,
        .least = least,
        .most = largest / (double)t->n, /* so that a product of factors is in range */
        .floor = least * least > normal ? least * least : normal,
    };
}

const void *lrc_unfactored(const lrc_run *run, const lrc_view *v, const void *g,
                           lrc_scratch *u)
{
    const lrc_tensor *t = v->tensor;
    const lrc_factoring factoring = lrc_group_of(run, v)->factoring;

    if (t->factors.n_sides == 1) {
        const lrc_moment by = lrc_moment_of(run, t);
        void *moment = lrc_at(t->factors.side[0].x, v->at, t->dtype);
        run->table[t->dtype]->whole(&by, factoring, g, moment, v->n, u,
                                    run->pass == &lrc_step_pass);
    } else if (factoring == LRC_LEAST) {
        lrc_unfactor_least(run, v, g, u);
    } else {
        lrc_unfactor_product(run, v, g, u);
    }
    return u;
}

static void keep_work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    for (lrc_view v; lrc_next(&mine, 1, &v);) {
        const lrc_factoring factoring = lrc_group_of(run, &v)->factoring;
        if (v.tensor->factors.n_sides < 2) continue;
        if (factoring == LRC_PRODUCT) lrc_keep_product(run, &v);
        if (factoring == LRC_LEAST) lrc_keep_least(run, &v);
    }
}

const lrc_pass lrc_keep_pass = {LRC_FACTORS, LRC_TAKEN, keep_work, NULL, 0, 0};
