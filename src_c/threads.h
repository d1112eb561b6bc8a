/* threads.h: how many threads, and running them side by side.
 *
 * A back end is a file, threads_NAME.c, of which the build takes one: openmp or serial. */

#ifndef LRC_THREADS_H
#define LRC_THREADS_H

#include <stddef.h>

/* What a function that runs side by side knows: it is thread k of n.  Thread 0 is the
 * caller's. */
typedef struct {
    int k, n;
} lrc_team;

/* How many threads share so many elements: `asked` of them, where that is not 0, within
 * reason; 1 below `parallel_from`, or LRC_PARALLEL_FROM where that is 0. */
int lrc_threads_for(size_t total, size_t parallel_from, int asked);

/* Of a back end: run fn(ctx, team) in at most n_threads threads, with 1 as a plain call;
 * in fn, wait for all of the team; how many threads there are by default, and processors
 * that this process may use now. */
void lrc_parallel(int n_threads, void (*fn)(void *ctx, const lrc_team *team),
                  void *ctx);
void lrc_meet(const lrc_team *team);
int lrc_usual_threads(void);
int lrc_processors(void);

#endif
