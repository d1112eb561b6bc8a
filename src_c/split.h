/* split.h: how the work is split into chunks. */

#ifndef LRC_SPLIT_H
#define LRC_SPLIT_H

#include "threads.h"
#include "view.h"

/* Columns in one block: their sums, 8 doubles, fill a cache line. */
enum { LRC_COLUMNS = 8 };

/* The first of `total` items of chunk k of n, which is also the end of chunk k - 1.
 * Items are split in whole blocks, as evenly as possible; the last block may be short.
 *
 *     total   block   n    begin of chunk 0, 1, ...; end
 *     100     8       2    0, 48; 100           13 blocks: 6 and 7
 *     100     1       3    0, 33, 66; 100
 *     100     64      2    0, 64; 100           2 blocks: 1 and 1
 *     10      8       4    0, 0, 8, 8; 10       2 blocks: 0, 1, 0 and 1
 */
size_t lrc_begin(size_t total, size_t block, int k, int n);

/* The elements of a plan that are a chunk's.  Chunks are even up to a grain of a
 * tensor, which is a strip or several (lrc_grain), so that sums by strip do not depend
 * on their number. */
typedef struct {
    const lrc_tensor *t, *last; /* the tensors of the next element and of the end, */
    size_t at, end;             /* and the indices of the elements in them */
} lrc_stretch;

lrc_stretch lrc_stretch_of(const lrc_plan *plan, const lrc_chunk *chunk);

/* Make the view of the stretch's next strip or, if `whole` is set, of the rest of its
 * tensor within the stretch; return 0 at the end. */
int lrc_next(lrc_stretch *stretch, int whole, lrc_view *view);

/* The tensor of the next element; NULL at the end. */
const lrc_tensor *lrc_next_tensor(lrc_stretch *stretch);

/* The number of strips of n elements; and the index of a view's strip in the plan. */
size_t lrc_strips(size_t n);
size_t lrc_strip_of(const lrc_view *view);

#endif
