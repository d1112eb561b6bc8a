/* view.h: what a kernel sees of a strip, and the one place where addresses are made.
 *
 * A kernel knows no tensors: it is handed the addresses of a strip's elements, how many
 * there are, and what else their stage needs.  lrc_view_of() makes a view, so this is also
 * where a stored number would be decoded, rows be picked by an index, or a shard begin. */

#ifndef LRC_VIEW_H
#define LRC_VIEW_H

#include "lrcore.h"

typedef struct {
    void *g, *p, *acc, *u;
    void *s[LRC_MAX_STATES], *a[LRC_MAX_AVERAGES];
    void *delta, *p0; /* Mechanic's */
    const void *gauged[LRC_MAX_GAUGED];
    size_t n;  /* elements, and */
    size_t at; /* where the first is in its tensor: for factors of rows and units */
    int streamed; /* whether the tensor is in no cache, and to be asked for ahead of time */
    const lrc_factors *factors;
    const lrc_units *units;
    const void *unit_factor;  /* of each unit of the tensor, in its type */
    const lrc_tensor *tensor; /* for passes: kernels do not look at it */
} lrc_view;

/* The view of elements [at, at + n) of a tensor. */
void lrc_view_of(const lrc_tensor *t, size_t at, size_t n, lrc_view *view);

size_t lrc_size_of(lrc_dtype dtype);

#endif
