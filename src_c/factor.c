/* factor.c: second moments that are factored into rows and columns: the pass that reads
 * the rows and columns of squared gradients, and the direction that is made of them. */

#include "factor.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* --- the matrices of a tensor ------------------------------------------------------- */

static lrc_matrices shape_of(const lrc_tensor *t)
{
    const lrc_factors *f = &t->factors;
    lrc_matrices m = {.t = t};
    if (t->n == 0 || f->n_sides < 2) return m;
    m.n_cols = f->side[f->n_sides - 1].n;
    m.n_rows = f->n_sides == 2 ? f->side[0].n : t->n / m.n_cols;
    m.n_matrices = t->n / m.n_cols / m.n_rows;
    m.across = lrc_strips(m.n_cols);
    m.tile_rows = LRC_STRIP / m.n_cols > LRC_TILE_ROWS ? LRC_STRIP / m.n_cols
                                                        : LRC_TILE_ROWS;
    m.down = (m.n_rows + m.tile_rows - 1) / m.tile_rows;
    return m;
}

size_t lrc_factor_work(const lrc_tensor *t)
{
    const lrc_matrices m = shape_of(t);
    return m.n_matrices * (m.n_rows * (1 + m.across) + m.n_cols * (1 + m.down));
}

int lrc_has_matrices(const lrc_run *run, const lrc_tensor *t)
{
    return run->plan->group[t->group].factoring && t->n > 0 && t->factors.n_sides > 1;
}

lrc_matrices lrc_matrices_of(const lrc_run *run, const lrc_tensor *t)
{
    lrc_matrices m = shape_of(t);
    double *work = run->factor + t->first_factor;
    m.row = work;
    m.col = work += m.n_matrices * m.n_rows;
    m.row_part = work += m.n_matrices * m.n_cols;
    m.col_part = work + m.n_matrices * m.n_rows * m.across;
    return m;
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

    if (group->factoring == LRC_LEAST)
        return (lrc_moment){.most = largest / 2, .floor = c[0]};
    const double eps = c[1] < 0 ? epsilon : c[1], least = c[2] != 0 ? 0 : eps;
    return (lrc_moment){
        .w = c[0],
        .more = eps - least,
        .least = least,
        .most = largest / (double)t->n,
        .floor = least * least > normal ? least * least : normal,
    };
}

/* --- the pass ----------------------------------------------------------------------- */

/* The least of all sides but the last, for n rows from `row` on. */
static const void *least_of_rows(const lrc_matrices *m, size_t row, size_t n,
                                 lrc_scratch *least)
{
    const lrc_factors *f = &m->t->factors;
    const lrc_dtype dtype = m->t->dtype;
    size_t inner = 1; /* rows from one index of the side to the next */

    if (f->n_sides == 2) return lrc_at(f->side[0].x, row, dtype);
    for (size_t k = f->n_sides - 1; k-- > 0; inner *= f->side[k].n) {
        const lrc_side *side = f->side + k;
        size_t index = row / inner % side->n, left = inner - row % inner;
        for (size_t j = 0; j < n; j++) {
            const double x = lrc_get(side->x, index, dtype);
            const int first = k == f->n_sides - 2;
            if (first || !(lrc_get(least, j, dtype) < x)) lrc_set(least, j, dtype, x);
            if (--left > 0) continue;
            left = inner;
            if (++index == side->n) index = 0;
        }
    }
    return least;
}

/* How many elements ahead of those that are read the memory is asked for, if they follow
 * each other; if they do not, it is asked for the next row. */
enum { AHEAD = 512 };

/* Read tile (i, j) of a matrix. */
static void read_tile(const lrc_run *run, const lrc_matrices *m, size_t matrix, size_t i,
                      size_t j)
{
    const lrc_tensor *t = m->t;
    const lrc_dtype dtype = t->dtype;
    const lrc_table *table = run->table[dtype];
    const int least = run->plan->group[t->group].factoring == LRC_LEAST;
    const size_t first = i * m->tile_rows, below = m->n_rows - first;
    const size_t rows = below < m->tile_rows ? below : m->tile_rows;
    const size_t from = j * LRC_STRIP, right = m->n_cols - from;
    const size_t n = right < LRC_STRIP ? right : LRC_STRIP;
    const size_t most = m->across == 1 ? LRC_STRIP / n : 1; /* rows read together */
    const size_t ahead = m->across == 1 ? AHEAD : m->n_cols;
    const lrc_dtype part = least ? dtype : LRC_F64;
    _Alignas(64) lrc_scratch col;
    lrc_scratch scratch, rows_least;
    const void *row_old = NULL, *col_old = NULL;

    if (least) {
        row_old = least_of_rows(m, first, rows, &rows_least);
        col_old = lrc_at(t->factors.side[t->factors.n_sides - 1].x, from, dtype);
        if (row_old == &rows_least && j == 0)
            memcpy(lrc_at(m->row, first, dtype), row_old, rows * lrc_size_of(dtype));
    }
    memset(&col, 0, n * lrc_size_of(part));
    for (size_t k = 0, len; k < rows; k += len) {
        len = rows - k < most ? rows - k : most;
        const size_t row = matrix * m->n_rows + first + k;
        lrc_view v;
        lrc_view_of(t, row * m->n_cols + from, len * n, &v);
        const void *g = lrc_gradient(run, &v, &scratch);
        void *row_part = lrc_at(m->row_part, row * m->across + j, part);
        if (least)
            table->max_lines(g, len, n, ahead, lrc_at(row_old, k, dtype), col_old, row_part,
                             m->across, &col);
        else
            table->sum_lines(g, len, n, ahead, row_part, m->across, col.f64);
    }
    memcpy(lrc_at(m->col_part, (matrix * m->down + i) * m->n_cols + from, part), &col,
           n * lrc_size_of(part));
}

static void work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    for (lrc_view v; lrc_next(&mine, 1, &v);) {
        if (!lrc_has_matrices(run, v.tensor)) continue;
        const lrc_matrices m = lrc_matrices_of(run, v.tensor);
        const size_t of_each = m.down * m.across;
        size_t end, tile = lrc_share(&v, m.n_matrices * of_each, &end);
        for (; tile < end; tile++) {
            const size_t rest = tile % of_each;
            read_tile(run, &m, tile / of_each, rest / m.across, rest % m.across);
        }
    }
}

const lrc_pass lrc_factor_pass = {LRC_FACTORS, LRC_TAKEN, work, NULL, 0};

/* --- the direction ------------------------------------------------------------------ */

const void *lrc_unfactored(const lrc_run *run, const lrc_view *v, const void *g,
                           lrc_scratch *u)
{
    const lrc_tensor *t = v->tensor;
    const lrc_table *table = run->table[t->dtype];
    const lrc_factoring factoring = run->plan->group[t->group].factoring;
    const lrc_moment by = lrc_moment_of(run, t);
    const lrc_factors *f = &t->factors;

    if (f->n_sides == 1) {
        table->whole(&by, factoring, g, lrc_at(f->side[0].x, v->at, t->dtype), v->n, u,
                     run->pass == &lrc_step_pass);
        return u;
    }
    const lrc_matrices m = lrc_matrices_of(run, t);
    lrc_lines lines = {m.row, m.col, m.n_rows, m.n_cols, by.floor};
    if (factoring == LRC_LEAST) {
        lines.col = f->side[f->n_sides - 1].x;
        if (f->n_sides == 2) lines.row = f->side[0].x;
    } else {
        lines.bound = 1 / sqrt(by.floor);
    }
    table->unfactor(&lines, factoring, v, g, u);
    return u;
}
