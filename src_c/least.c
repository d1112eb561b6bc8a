/* least.c: second moments that are the least of their sides plus g^2 (LRC_LEAST), where
 * each side becomes the largest of what it stands for.
 *
 * The largest are found while the strips of the step are in the cache: of the piece of
 * each row that a strip has, and of each column within a band of strips.  Chunks have
 * whole bands (lrc_grain).  The largest number is the same in any order. */

#include <string.h>

#include "factor.h"

/* A band has 64 rows, so that the numbers of its columns take little memory and time,
 * but about a 32nd of the tensor at most, so that there is work for threads. */
enum { BAND_ROWS = 64, BANDS = 32 };

size_t lrc_grain(const lrc_tensor *t)
{
    const size_t rows = BAND_ROWS * lrc_shape_of(t).n_cols, part = t->n / BANDS;
    const size_t strips = lrc_strips(rows < part ? rows : part);
    return strips > 0 ? strips * LRC_STRIP : LRC_STRIP;
}

/* What a tensor's strips have found, in the tensor's type. */
typedef struct {
    void *row; /* of each piece of a row: see piece_of() */
    /* n_cols for each band or, if a band is shorter than a row, for each row. */
    void *col;
    size_t down; /* how many times n_cols */
} found;

/* The number of the piece of a row that a strip has.  Both numbers rise along the
 * memory, and from one piece to the next at least one of them does. */
static size_t piece_of(size_t row, size_t strip) { return row + strip; }

static size_t down_of(const lrc_tensor *t, const lrc_shape *shape)
{
    if (t->grain < shape->n_cols) return shape->n_rows;
    return t->n / t->grain + (t->n % t->grain != 0);
}

size_t lrc_least_work(const lrc_tensor *t)
{
    const lrc_shape shape = lrc_shape_of(t);
    if (shape.n_cols == 0) return 0;
    const size_t n =
        shape.n_rows + lrc_strips(t->n) + down_of(t, &shape) * shape.n_cols;
    return (n * lrc_size_of(t->dtype) + sizeof(double) - 1) / sizeof(double);
}

static found found_of(const lrc_run *run, const lrc_tensor *t, const lrc_shape *shape)
{
    double *work = run->factor + t->first_factor;
    void *col = lrc_at(work, shape->n_rows + lrc_strips(t->n), t->dtype);
    return (found){work, col, down_of(t, shape)};
}

/* The least of all sides but the last, for n rows from `row` on. */
static const void *least_of_rows(const lrc_tensor *t, size_t row, size_t n,
                                 lrc_scratch *least)
{
    const lrc_factors *f = &t->factors;
    const size_t last = f->n_sides - 2;
    size_t inner = 1; /* rows from one index of the side to the next */

    if (last == 0) return lrc_at(f->side[0].x, row, t->dtype);
    for (size_t k = last + 1; k-- > 0; inner *= f->side[k].n) {
        const lrc_side *side = f->side + k;
        size_t index = row / inner % side->n, left = inner - row % inner;
        for (size_t j = 0; j < n; j++) {
            const double x = lrc_get(side->x, index, t->dtype);
            if (k == last || !(lrc_get(least, j, t->dtype) < x))
                lrc_set(least, j, t->dtype, x);
            if (--left > 0) continue;
            left = inner;
            if (++index == side->n) index = 0;
        }
    }
    return least;
}

void lrc_unfactor_least(const lrc_run *run, const lrc_view *v, const void *g, void *u)
{
    const lrc_tensor *t = v->tensor;
    const lrc_shape shape = lrc_shape_of(t);
    const found most = found_of(run, t, &shape);
    const size_t row = v->at / shape.n_cols, size = lrc_size_of(t->dtype);
    const int by_rows = t->grain < shape.n_cols;
    void *col =
        lrc_at(most.col, (by_rows ? row : v->at / t->grain) * shape.n_cols, t->dtype);
    lrc_scratch least;

    if (by_rows)
        memset(lrc_at(most.col, v->at, t->dtype), 0, v->n * size);
    else if (v->at % t->grain == 0)
        memset(col, 0, shape.n_cols * size);
    const size_t n_rows = (v->at + v->n - 1) / shape.n_cols + 1 - row;
    const lrc_lines lines = {
        .row = least_of_rows(t, row, n_rows, &least),
        .col = t->factors.side[t->factors.n_sides - 1].x,
        .n_rows = shape.n_rows,
        .n_cols = shape.n_cols,
        .bound = lrc_group_of(run, v)->factor_coef[0],
        .row_most = lrc_at(most.row, piece_of(row, v->at / LRC_STRIP), t->dtype),
        .col_most = col,
        .next_most = by_rows ? shape.n_cols : 0,
    };
    run->table[t->dtype]->unfactor_least(v, g, &lines, u);
}

/* --- keep ------------------------------------------------------------------------- */

/* The larger of two numbers; NaN if one is. */
static double larger(double x, double y) { return y > x || y != y ? y : x; }

/* The largest of the pieces of a row, or x. */
static double largest_of_row(const found *most, const lrc_shape *shape, size_t row,
                             lrc_dtype dtype, double x)
{
    const size_t begin = row * shape->n_cols, last = begin + shape->n_cols - 1;
    for (size_t strip = begin / LRC_STRIP; strip <= last / LRC_STRIP; strip++)
        x = larger(x, lrc_get(most->row, piece_of(row, strip), dtype));
    return x;
}

void lrc_keep_least(const lrc_run *run, const lrc_view *part)
{
    const lrc_tensor *t = part->tensor;
    const lrc_dtype dtype = t->dtype;
    const lrc_shape shape = lrc_shape_of(t);
    const found most = found_of(run, t, &shape);
    const double bound = lrc_moment_of(run, t).most;
    size_t k = t->factors.n_sides - 1, end, from = lrc_share(part, shape.n_cols, &end);
    void *col = lrc_at(most.col, from, dtype);

    for (size_t i = 1; i < most.down; i++)
        run->table[dtype]->larger(lrc_at(col, i * shape.n_cols, dtype), end - from,
                                  col);
    for (size_t j = from; j < end; j++) {
        const double x = lrc_get(most.col, j, dtype);
        lrc_set(t->factors.side[k].x, j, dtype, x > bound ? bound : x);
    }
    for (size_t inner = 1; k-- > 0; inner *= t->factors.side[k].n) {
        const lrc_side *side = t->factors.side + k;
        size_t i = lrc_share(part, side->n, &end);
        for (; i < end; i++) {
            double x = 0;
            for (size_t o = i * inner; o < shape.n_rows; o += side->n * inner)
                for (size_t row = o; row < o + inner; row++)
                    x = largest_of_row(&most, &shape, row, dtype, x);
            lrc_set(side->x, i, dtype, x > bound ? bound : x);
        }
    }
}
