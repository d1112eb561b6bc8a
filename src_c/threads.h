/* threads.h: the number of threads of a step, and running a function in them.
 *
 * A back end is a file threads_NAME.c; the build takes one: openmp or serial. */

#ifndef LRC_THREADS_H
#define LRC_THREADS_H

#include <stddef.h>

/* Passed to a function that runs in n threads: it is in thread k.  Thread 0 is the
 * caller's. */
typedef struct {
    int k, n;
} lrc_team;

/* The number of threads for `total` elements: 1 if there are fewer than `parallel_from`
 * (0: LRC_PARALLEL_FROM), otherwise `asked` (0: lrc_num_threads()), but at most 8 or
 * four times the number of processors, whichever is more. */
int lrc_threads_for(size_t total, size_t parallel_from, int asked);

/* A back end has these four functions. */

/* Run fn(ctx, team) in at most n_threads threads; 1 is a plain call. */
void lrc_parallel(int n_threads, void (*fn)(void *ctx, const lrc_team *team),
                  void *ctx);
/* Called by fn: wait for all threads of the team. */
void lrc_meet(const lrc_team *team);
/* The default number of threads. */
int lrc_usual_threads(void);
/* The number of processors that this process may use now. */
int lrc_processors(void);

#endif
