/* threads.h: side by side, for step.c. */

#ifndef LRC_THREADS_H
#define LRC_THREADS_H

#include <stddef.h>

/* How many threads share so many elements: `asked` of them, where that is not 0, within
 * reason; 1 below `parallel_from`. */
int lrc_threads_for(size_t total, size_t parallel_from, int asked);

/* fn(ctx, k, n) for k in [0, n), side by side; n is at most n_threads, as OpenMP
 * grants.  With 1 it is a plain call. */
void lrc_parallel_for(int n_threads, void (*fn)(void *ctx, int k, int n), void *ctx);

/* In fn: wait for the others of n. */
void lrc_meet(int n);

#endif
