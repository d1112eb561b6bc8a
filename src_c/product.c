/* product.c: second moments that are a product of rows and columns (LRC_PRODUCT), which
 * are means of g^2.
 *
 * One pass reads the sums of rows and columns, tile by tile: some whole rows of a
 * matrix or, if they are long, a strip's length of each.  The next makes new factors of
 * them: the sums of a line's tiles are added in order, so that the number of threads
 * cannot matter. */

#include <float.h>
#include <math.h>
#include <string.h>

#include "factor.h"

/* Rows of a tile: so many that the sums of its columns take little memory and time, and
 * more if there are not a strip's elements in them. */
enum { TILE_ROWS = 64 };

typedef struct {
    const lrc_tensor *t;
    lrc_shape shape;
    size_t tile_rows;
    size_t down, across; /* tiles of a matrix: one below the other, and side by side */
    /* The sums of each tile: n_rows by `across` for the rows of each matrix, and `down`
     * by n_cols for its columns.  New factors replace the sums of the first tiles. */
    double *row, *col;
} tiles;

/* The inverse root of the factor of each row and each column, in the tensor's type. */
typedef struct {
    void *row, *col;
} roots;

static tiles tiles_of(const lrc_tensor *t)
{
    tiles m = {.t = t, .shape = lrc_shape_of(t)};
    if (m.shape.n_cols == 0) return m;
    const size_t whole = LRC_STRIP / m.shape.n_cols; /* rows of a strip */
    m.tile_rows = whole > TILE_ROWS ? whole : TILE_ROWS;
    m.down = (m.shape.n_rows + m.tile_rows - 1) / m.tile_rows;
    m.across = lrc_strips(m.shape.n_cols);
    return m;
}

size_t lrc_product_work(const lrc_tensor *t)
{
    const tiles m = tiles_of(t);
    const size_t rows = m.shape.n_rows * (1 + m.across);
    return m.shape.n_matrices * (rows + m.shape.n_cols * (1 + m.down));
}

static roots roots_of(const lrc_run *run, const lrc_tensor *t)
{
    double *work = run->factor + t->first_factor;
    return (roots){work, work + t->n / t->factors.side[1].n};
}

static tiles tiles_in(const lrc_run *run, const lrc_tensor *t)
{
    tiles m = tiles_of(t);
    double *work = run->factor + t->first_factor;
    m.row = work + m.shape.n_matrices * (m.shape.n_rows + m.shape.n_cols);
    m.col = m.row + m.shape.n_matrices * m.shape.n_rows * m.across;
    return m;
}

/* Whether a tensor has tiles, for a pass. */
static int has_tiles(const lrc_run *run, const lrc_view *v)
{
    return lrc_group_of(run, v)->factoring == LRC_PRODUCT &&
           v->tensor->factors.n_sides == 2;
}

/* --- the pass that reads ---------------------------------------------------------- */

/* Read tile (i, j) of a matrix. */
static void read_tile(const lrc_run *run, const tiles *m, size_t matrix, size_t i,
                      size_t j)
{
    const lrc_table *table = run->table[m->t->dtype];
    const size_t n_cols = m->shape.n_cols, from = j * LRC_STRIP, right = n_cols - from;
    const size_t first = i * m->tile_rows, below = m->shape.n_rows - first;
    const size_t rows = below < m->tile_rows ? below : m->tile_rows;
    const size_t n = right < LRC_STRIP ? right : LRC_STRIP;
    const size_t at_once = m->across == 1 ? LRC_STRIP / n : 1; /* rows of a view */
    /* Elements to ask memory for: those that follow, or those of the next row. */
    const size_t ahead = m->across == 1 ? LRC_AHEAD : n_cols;
    _Alignas(64) double col[LRC_STRIP];
    lrc_scratch scratch;

    memset(col, 0, n * sizeof *col);
    for (size_t k = 0, some; k < rows; k += some) {
        some = rows - k < at_once ? rows - k : at_once;
        const size_t row = matrix * m->shape.n_rows + first + k;
        lrc_view v;
        lrc_view_of(m->t, row * n_cols + from, some * n, &v);
        table->sum_lines(lrc_gradient(run, &v, &scratch), some, n, ahead,
                         m->row + row * m->across + j, m->across, col);
    }
    memcpy(m->col + (matrix * m->down + i) * n_cols + from, col, n * sizeof *col);
}

static void read_work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    for (lrc_view v; lrc_next(&mine, 1, &v);) {
        if (!has_tiles(run, &v)) continue;
        const tiles m = tiles_in(run, v.tensor);
        const size_t of_each = m.down * m.across;
        size_t end, tile = lrc_share(&v, m.shape.n_matrices * of_each, &end);
        for (; tile < end; tile++)
            read_tile(run, &m, tile / of_each, tile % of_each / m.across,
                      tile % m.across);
    }
}

const lrc_pass lrc_read_pass = {LRC_PRODUCTS, LRC_TAKEN, read_work, NULL, 0, 0};

/* --- the pass that makes new factors ---------------------------------------------- */

/* Some columns of a matrix. */
typedef struct {
    size_t matrix, from, n;
} columns;

/* The next columns in a range [*at, end) of all columns of all matrices; 0: no more. */
static int next_columns(const tiles *m, size_t *at, size_t end, columns *c)
{
    if (*at == end) return 0;
    c->matrix = *at / m->shape.n_cols;
    c->from = *at % m->shape.n_cols;
    c->n = m->shape.n_cols - c->from;
    if (c->n > end - *at) c->n = end - *at;
    *at += c->n;
    return 1;
}

/* Where the sums of a matrix's rows and of columns become their new factors. */
static double *rows_of(const tiles *m, size_t matrix)
{
    return m->row + matrix * m->shape.n_rows * m->across;
}

static double *columns_of(const tiles *m, const columns *c)
{
    return m->col + c->matrix * m->down * m->shape.n_cols + c->from;
}

/* Lines of `length` elements: their factors in side k from `first` on, and their sums
 * of squares x, which are replaced by the new factors. */
static void renew(const tiles *m, int k, size_t first, size_t n, size_t length,
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

static void make_rows(const tiles *m, size_t matrix, const lrc_moment *by, void *root)
{
    const size_t n = m->shape.n_rows, first = matrix * n;
    const double least = by->least > DBL_MIN ? by->least : DBL_MIN; /* 0 / 0 is NaN */
    double *x = rows_of(m, matrix);

    for (size_t i = 0; i < n; i++) {
        double sum = x[i * m->across];
        for (size_t j = 1; j < m->across; j++) sum += x[i * m->across + j];
        x[i] = sum;
    }
    renew(m, 0, first, n, m->shape.n_cols, by, x);
    const double mean = mean_of(x, n), by_mean = mean < least ? least : mean;
    for (size_t i = 0; i < n; i++)
        lrc_set(root, first + i, m->t->dtype, sqrt(by_mean / x[i]));
}

static void make_columns(const tiles *m, const columns *c, const lrc_moment *by,
                         void *root)
{
    const size_t first = c->matrix * m->shape.n_cols + c->from;
    double *x = columns_of(m, c);

    for (size_t i = 1; i < m->down; i++)
        for (size_t j = 0; j < c->n; j++) x[j] += x[i * m->shape.n_cols + j];
    renew(m, 1, first, c->n, m->shape.n_rows, by, x);
    for (size_t j = 0; j < c->n; j++)
        lrc_set(root, first + j, m->t->dtype, sqrt(1 / x[j]));
}

static void make_work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    for (lrc_view v; lrc_next(&mine, 1, &v);) {
        if (!has_tiles(run, &v)) continue;
        const tiles m = tiles_in(run, v.tensor);
        const roots r = roots_of(run, v.tensor);
        const lrc_moment by = lrc_moment_of(run, v.tensor);
        size_t end, at = lrc_share(&v, m.shape.n_matrices, &end);
        for (; at < end; at++) make_rows(&m, at, &by, r.row);
        at = lrc_share(&v, m.shape.n_matrices * m.shape.n_cols, &end);
        for (columns c; next_columns(&m, &at, end, &c);)
            make_columns(&m, &c, &by, r.col);
    }
}

const lrc_pass lrc_make_pass = {LRC_PRODUCTS, LRC_TAKEN, make_work, NULL, 0, 0};

/* --- the step --------------------------------------------------------------------- */

void lrc_unfactor_product(const lrc_run *run, const lrc_view *v, const void *g, void *u)
{
    const lrc_tensor *t = v->tensor;
    const roots r = roots_of(run, t);
    const size_t n_rows = t->factors.side[0].n, n_cols = t->factors.side[1].n;
    const size_t row = v->at / n_cols, matrix = row / n_rows;
    const lrc_lines lines = {
        .row = lrc_at(r.row, row, t->dtype),
        .col = lrc_at(r.col, matrix * n_cols, t->dtype),
        .n_rows = n_rows,
        .n_cols = n_cols,
        .bound = 1 / sqrt(lrc_moment_of(run, t).floor),
    };
    run->table[t->dtype]->unfactor_product(v, g, &lines, u);
}

void lrc_keep_product(const lrc_run *run, const lrc_view *part)
{
    const tiles m = tiles_in(run, part->tensor);
    const lrc_side *side = m.t->factors.side;
    size_t end, at = lrc_share(part, m.shape.n_matrices, &end);

    for (; at < end; at++)
        for (size_t i = 0; i < m.shape.n_rows; i++)
            lrc_set(side[0].x, at * m.shape.n_rows + i, m.t->dtype, rows_of(&m, at)[i]);
    at = lrc_share(part, m.shape.n_matrices * m.shape.n_cols, &end);
    for (columns c; next_columns(&m, &at, end, &c);)
        for (size_t j = 0; j < c.n; j++)
            lrc_set(side[1].x, c.matrix * m.shape.n_cols + c.from + j, m.t->dtype,
                    columns_of(&m, &c)[j]);
}
