/* moment.c: the passes that make the new factors of second moments from the parts of rows
 * and columns that were read (LRC_PRODUCT), and that keep them once the step is taken. */

#include <float.h>
#include <math.h>

#include "factor.h"

/* Some columns of a matrix. */
typedef struct {
    size_t matrix, from, n;
} columns;

/* The next columns in a range [*at, end) of all columns of all matrices; 0: no more. */
static int next_columns(const lrc_matrices *m, size_t *at, size_t end, columns *c)
{
    if (*at == end) return 0;
    c->matrix = *at / m->n_cols;
    c->from = *at % m->n_cols;
    c->n = m->n_cols - c->from < end - *at ? m->n_cols - c->from : end - *at;
    *at += c->n;
    return 1;
}

/* The numbers of a matrix's rows and of columns, in the place of the first of their
 * parts. */
static double *rows_of(const lrc_matrices *m, size_t matrix)
{
    return (double *)m->row_part + matrix * m->n_rows * m->across;
}

static double *columns_of(const lrc_matrices *m, const columns *c)
{
    return (double *)m->col_part + c->matrix * m->down * m->n_cols + c->from;
}

/* --- make: sums of squares become factors (LRC_PRODUCT) ------------------------------- */

/* Lines of `length` elements: their factors in side k from `first` on, and their sums of
 * squares x, which are replaced by the new factors. */
static void renew(const lrc_matrices *m, int k, size_t first, size_t n, size_t length,
                  const lrc_moment *by, double *x)
{
    const void *old = m->t->factors.side[k].x;
    for (size_t i = 0; i < n; i++) {
        const double was = lrc_get(old, first + i, m->t->dtype);
        const double mean = x[i] / (double)length + by->more;
        x[i] = was + by->w * ((mean > by->most ? by->most : mean) - was);
    }
}

/* The mean, from a sum in lanes as in sums.inc. */
static double mean_of(const double *x, size_t n)
{
    double lane[LRC_LANES] = {0};
    for (size_t i = 0; i < n; i++) lane[i % LRC_LANES] += x[i];
    return lrc_total(lane) / (double)n;
}

static void make_rows(const lrc_matrices *m, size_t matrix, const lrc_moment *by)
{
    const size_t n = m->n_rows, first = matrix * n;
    const double least = by->least > DBL_MIN ? by->least : DBL_MIN; /* 0 / 0 is NaN */
    double *x = rows_of(m, matrix);

    for (size_t i = 0; i < n; i++) {
        double sum = x[i * m->across];
        for (size_t j = 1; j < m->across; j++) sum += x[i * m->across + j];
        x[i] = sum;
    }
    renew(m, 0, first, n, m->n_cols, by, x);
    const double mean = mean_of(x, n), by_mean = mean < least ? least : mean;
    for (size_t i = 0; i < n; i++)
        lrc_set(m->row, first + i, m->t->dtype, sqrt(by_mean / x[i]));
}

static void make_columns(const lrc_matrices *m, const columns *c, const lrc_moment *by)
{
    const size_t first = c->matrix * m->n_cols + c->from;
    double *x = columns_of(m, c);

    for (size_t i = 1; i < m->down; i++)
        for (size_t j = 0; j < c->n; j++) x[j] += x[i * m->n_cols + j];
    renew(m, 1, first, c->n, m->n_rows, by, x);
    for (size_t j = 0; j < c->n; j++)
        lrc_set(m->col, first + j, m->t->dtype, sqrt(1 / x[j]));
}

static void make_work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    for (lrc_view v; lrc_next(&mine, 1, &v);) {
        if (lrc_group_of(run, &v)->factoring != LRC_PRODUCT ||
            !lrc_has_matrices(run, v.tensor))
            continue;
        const lrc_matrices m = lrc_matrices_of(run, v.tensor);
        const lrc_moment by = lrc_moment_of(run, v.tensor);
        size_t end, at = lrc_share(&v, m.n_matrices, &end);
        for (; at < end; at++) make_rows(&m, at, &by);
        at = lrc_share(&v, m.n_matrices * m.n_cols, &end);
        for (columns c; next_columns(&m, &at, end, &c);) make_columns(&m, &c, &by);
    }
}

const lrc_pass lrc_make_pass = {LRC_FACTORS, LRC_TAKEN, make_work, NULL, 0};

/* --- keep: the new factors become the old ones ---------------------------------------- */

static void keep_product(const lrc_view *v, const lrc_matrices *m)
{
    const lrc_side *side = v->tensor->factors.side;
    const lrc_dtype dtype = v->tensor->dtype;
    size_t end, at = lrc_share(v, m->n_matrices, &end);

    for (; at < end; at++)
        for (size_t i = 0; i < m->n_rows; i++)
            lrc_set(side[0].x, at * m->n_rows + i, dtype, rows_of(m, at)[i]);
    at = lrc_share(v, m->n_matrices * m->n_cols, &end);
    for (columns c; next_columns(m, &at, end, &c);)
        for (size_t j = 0; j < c.n; j++)
            lrc_set(side[1].x, c.matrix * m->n_cols + c.from + j, dtype,
                    columns_of(m, &c)[j]);
}

/* The larger of two numbers; NaN if one is. */
static double larger(double x, double y) { return y > x || y != y ? y : x; }

/* Keep the largest of what each index in [from, end) of a side stands for, of n parts:
 * part[o][index][q], for all o and for all q below `inner`. */
static void keep_largest(const lrc_side *side, const void *part, size_t n, size_t inner,
                         lrc_dtype dtype, double most, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++) {
        double x = 0;
        for (size_t o = i * inner; o < n; o += side->n * inner)
            for (size_t q = o; q < o + inner; q++) x = larger(x, lrc_get(part, q, dtype));
        lrc_set(side->x, i, dtype, x > most ? most : x);
    }
}

static void keep_least(const lrc_run *run, const lrc_view *v, const lrc_matrices *m)
{
    const lrc_factors *f = &v->tensor->factors;
    const lrc_dtype dtype = v->tensor->dtype;
    const double most = lrc_moment_of(run, v->tensor).most;
    size_t last = f->n_sides - 1, inner = m->across, end;
    size_t from = lrc_share(v, m->n_cols, &end);
    void *col = lrc_at(m->col_part, from, dtype);

    for (size_t i = 1; i < m->down; i++)
        run->table[dtype]->larger(lrc_at(m->col_part, i * m->n_cols + from, dtype),
                                  end - from, col);
    keep_largest(f->side + last, m->col_part, m->n_cols, 1, dtype, most, from, end);
    for (; last-- > 0; inner *= f->side[last].n) {
        from = lrc_share(v, f->side[last].n, &end);
        keep_largest(f->side + last, m->row_part, m->n_rows * m->across, inner, dtype,
                     most, from, end);
    }
}

static void keep_work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    for (lrc_view v; lrc_next(&mine, 1, &v);) {
        if (!lrc_has_matrices(run, v.tensor)) continue;
        const lrc_matrices m = lrc_matrices_of(run, v.tensor);
        if (lrc_group_of(run, &v)->factoring == LRC_LEAST)
            keep_least(run, &v, &m);
        else
            keep_product(&v, &m);
    }
}

const lrc_pass lrc_keep_pass = {LRC_FACTORS, LRC_TAKEN, keep_work, NULL, 0};
