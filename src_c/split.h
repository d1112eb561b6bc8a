/* split.h: which part of the work a thread has. */

#ifndef LRC_SPLIT_H
#define LRC_SPLIT_H

#include "threads.h"
#include "view.h"

/* Columns that stay in one block: their sums fill a cache line. */
enum { LRC_COLUMNS = 8 };

/* Where thread k of n begins among `total` things that stay together in blocks, and where
 * thread k - 1 ends: blocks are shared evenly, and the last may be shorter.
 *
 *     total   block   n    begin of 0, 1, 2, ...; the end
 *     100     8       2    0, 48; 100           13 blocks: 6 and 7
 *     100     1       3    0, 33, 66; 100
 *     100     64      2    0, 64; 100
 *     10      8       4    0, 0, 8, 8; 10       2 blocks: 0, 1, 0 and 1
 */
size_t lrc_begin(size_t total, size_t block, int k, int n);

/* The elements of a plan that a thread has: whole strips, so that sums by strips do not
 * depend on how many threads there are, in shares that are even but for that. */
typedef struct {
    const lrc_tensor *t, *last; /* where it is, and the tensor of its end, */
    size_t at, end;             /* with the places there */
} lrc_share;

lrc_share lrc_share_of(const lrc_plan *plan, const lrc_team *team);

/* The view of the next strip, or where `whole` is set of all that follows in its tensor; 0
 * at the end. */
int lrc_next(lrc_share *share, int whole, lrc_view *view);

/* The tensor that comes next; NULL at the end. */
const lrc_tensor *lrc_next_tensor(lrc_share *share);

/* The strips that n elements have; and a view's number among those of the plan. */
size_t lrc_strips(size_t n);
size_t lrc_strip_of(const lrc_view *view);

#endif
