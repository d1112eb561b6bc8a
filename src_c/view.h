/* view.h: a view of a strip, which is what kernels work on.
 *
 * A kernel does not know tensors.  A view gives it the addresses and the number of a
 * strip's elements.  lrc_view_of() is the only place that computes these addresses, so
 * other storage (low-precision numbers, rows picked by an index, a shard) belongs
 * there. */

#ifndef LRC_VIEW_H
#define LRC_VIEW_H

#include "plan.h"

typedef struct {
    void *g, *p, *acc, *u;
    void *s[LRC_MAX_STATES], *a[LRC_MAX_AVERAGES];
    void *delta, *p0; /* Mechanic's */
    const void *gauged[LRC_MAX_GAUGED];
    size_t n;     /* number of elements */
    size_t at;    /* index of the first in its tensor: it tells lines and units */
    int streamed; /* whether the tensor is too large for caches, and to be prefetched */
    const lrc_units *units;
    const void *unit_factor;  /* a factor for each unit of the tensor, in its type */
    const lrc_tensor *tensor; /* for passes; kernels do not read it */
} lrc_view;

/* The view of elements [at, at + n) of a tensor. */
void lrc_view_of(const lrc_tensor *t, size_t at, size_t n, lrc_view *view);

size_t lrc_size_of(lrc_dtype dtype);

#endif
