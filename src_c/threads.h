/* threads.h: the parts of the work, and the threads that do them.
 *
 * A back end is a file threads_NAME.c.  threads.c lists them and chooses one. */

#ifndef LRC_THREADS_H
#define LRC_THREADS_H

#include <stddef.h>

/* Part k of n of the work.  The parts do not overlap, and no result depends on n. */
typedef struct {
    int k, n;
} lrc_part;

/* Does one part.  ctx: what lrc_parallel() was called with. */
typedef void lrc_job(void *ctx, const lrc_part *part);

typedef struct {
    const char *name;
    /* Call job(ctx, part) for each of n_parts parts, in at most n_threads threads, of
     * which the caller's is one; return when all parts are done. */
    void (*parallel)(int n_threads, int n_parts, lrc_job *job, void *ctx);
    /* Whether a thread that is done takes over parts of others, so that there should be
     * more parts than threads. */
    int claims;
} lrc_back_end;

extern const lrc_back_end lrc_openmp, lrc_pool, lrc_serial;

/* The number of threads for `total` elements: 1 if there are fewer than `parallel_from`
 * (0: LRC_PARALLEL_FROM), otherwise `asked` (0: lrc_num_threads()), but at most 8 or
 * four times the number of processors, whichever is more. */
int lrc_threads_for(size_t total, size_t parallel_from, int asked);

/* The number of parts of `total` elements for that many threads. */
int lrc_parts_for(size_t total, int n_threads);

/* Do the work by the back end in use; one thread does it as one part. */
void lrc_parallel(int n_threads, int n_parts, lrc_job *job, void *ctx);

/* The number of threads of OpenMP (OMP_NUM_THREADS, threadpoolctl), if it is there. */
int lrc_openmp_threads(void);

#endif
