/* threads.h: the chunks of the work, and the threads that do them.
 *
 * A back end is a file threads_NAME.c.  threads.c lists them and chooses one. */

#ifndef LRC_THREADS_H
#define LRC_THREADS_H

#include <stddef.h>

/* Part k of n of the work.  The chunks do not overlap, and no result depends on n. */
typedef struct {
    int k, n;
} lrc_chunk;

/* Does one chunk.  ctx: what lrc_parallel() was called with. */
typedef void lrc_job(void *ctx, const lrc_chunk *chunk);

typedef struct {
    const char *name;
    /* Call job(ctx, chunk) for each of n_chunks chunks, in at most n_threads threads,
     * of which the caller's is one; return when all chunks are done. */
    void (*parallel)(int n_threads, int n_chunks, lrc_job *job, void *ctx);
    /* Whether a thread that is done takes over chunks of others, so that there should
     * be more chunks than threads. */
    int claims;
} lrc_back_end;

extern const lrc_back_end lrc_openmp, lrc_pool, lrc_serial;

/* The number of threads for `total` elements: 1 if there are fewer than `parallel_from`
 * (0: LRC_PARALLEL_FROM) or "serial" is in use, otherwise `asked` (0:
 * lrc_num_threads()), but at most 8 or four times the number of processors, whichever
 * is more. */
int lrc_threads_for(size_t total, size_t parallel_from, int asked);

/* The number of chunks of `total` elements for that many threads. */
int lrc_chunks_for(size_t total, int n_threads);

/* Do the work by the back end in use; one thread does it as one chunk. */
void lrc_parallel(int n_threads, int n_chunks, lrc_job *job, void *ctx);

/* The number of threads of OpenMP (OMP_NUM_THREADS, OMP_THREAD_LIMIT, threadpoolctl);
 * without OpenMP, the number of processors. */
int lrc_openmp_threads(void);

/* The stack of OpenMP's threads (bytes): that of its variables as libgomp reads them (a
 * number of kB, or one with a unit), or the system's default. */
size_t lrc_openmp_stack(void);

#endif
