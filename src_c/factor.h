/* factor.h: what the files of factored second moments share.  product.c has
 * LRC_PRODUCT, least.c has LRC_LEAST, and factor.c chooses between them. */

#ifndef LRC_FACTOR_H
#define LRC_FACTOR_H

#include "run.h"

/* A tensor with two sides or more, as a sequence of matrices. */
typedef struct {
    size_t n_matrices, n_rows, n_cols;
} lrc_shape;

/* There are none where the tensor has one side, whose second moment is whole. */
lrc_shape lrc_shape_of(const lrc_tensor *t);

/* The numbers by which a tensor's second moment changes. */
lrc_moment lrc_moment_of(const lrc_run *run, const lrc_tensor *t);

/* The share of `total` things of a tensor that belongs to a part of its elements: the
 * first, and the end. */
size_t lrc_share(const lrc_view *part, size_t total, size_t *end);

/* Of each kind: the doubles that a tensor needs in run->factor; the direction u of a
 * strip; and new factors that become the old ones, once the step is taken. */
size_t lrc_product_work(const lrc_tensor *t);
void lrc_unfactor_product(const lrc_run *run, const lrc_view *v, const void *g,
                          void *u);
void lrc_keep_product(const lrc_run *run, const lrc_view *part);
size_t lrc_least_work(const lrc_tensor *t);
void lrc_unfactor_least(const lrc_run *run, const lrc_view *v, const void *g, void *u);
void lrc_keep_least(const lrc_run *run, const lrc_view *part);

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
