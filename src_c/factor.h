/* factor.h: the matrices whose second moment is factored, and what a step makes of them.
 *
 * A tile is the unit in which rows and columns are read: some whole rows of a matrix or,
 * if they are long, a strip's length of each.  It sums (LRC_PRODUCT) or takes the largest
 * of (LRC_LEAST) its part of each row and column.  The parts are put together in the order
 * of the tiles, so that the number of threads cannot matter. */

#ifndef LRC_FACTOR_H
#define LRC_FACTOR_H

#include "run.h"

/* Rows of a tile: so many that the parts of columns take little memory, but fewer than
 * make up two strips where rows are short. */
enum { LRC_TILE_ROWS = 64 };

typedef struct {
    const lrc_tensor *t;
    size_t n_rows, n_cols, n_matrices;
    size_t tile_rows; /* the rows of a tile */
    size_t down, across; /* tiles from top to bottom of a matrix, and from left to right */
    /* Of each line of each matrix.  LRC_PRODUCT: the inverse root of its factor.
     * LRC_LEAST: a row's least of all sides but the last, if there are more than two. */
    void *row, *col;
    /* Parts of lines, by matrix: row_part has n_rows by `across`, col_part has `down` by
     * n_cols numbers; doubles (LRC_PRODUCT), or numbers of the tensor's type. */
    void *row_part, *col_part;
} lrc_matrices;

/* Whether there are such matrices: two sides or more. */
int lrc_has_matrices(const lrc_run *run, const lrc_tensor *t);
lrc_matrices lrc_matrices_of(const lrc_run *run, const lrc_tensor *t);

/* The numbers by which a tensor's second moment changes. */
lrc_moment lrc_moment_of(const lrc_run *run, const lrc_tensor *t);

/* The share of `total` things of a tensor that belongs to a part of its elements. */
size_t lrc_share(const lrc_view *part, size_t total, size_t *end);

/* Element i of an array: its address; its value; set it to x, rounded. */
static inline void *lrc_at(const void *array, size_t i, lrc_dtype dtype)
{
    return (char *)array + i * lrc_size_of(dtype);
}
static inline double lrc_get(const void *array, size_t i, lrc_dtype dtype)
{
    return dtype == LRC_F32 ? (double)((const float *)array)[i]
                            : ((const double *)array)[i];
}
static inline void lrc_set(void *array, size_t i, lrc_dtype dtype, double x)
{
    if (dtype == LRC_F32)
        ((float *)array)[i] = (float)x;
    else
        ((double *)array)[i] = x;
}

#endif
