/* threads_serial.c: the back end that makes no threads. */

#include "threads.h"

static void parallel(int n_threads, int n_chunks, lrc_job *job, void *ctx)
{
    (void)n_threads;
    for (int k = 0; k < n_chunks; k++) job(ctx, &(lrc_chunk){k, n_chunks});
}

const lrc_back_end lrc_serial = {"serial", parallel, 0};
