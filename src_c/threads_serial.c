/* threads_serial.c: the back end that makes no threads. */

#include "threads.h"

static void parallel(int n_threads, int n_parts, lrc_job *job, void *ctx)
{
    (void)n_threads;
    for (int k = 0; k < n_parts; k++) job(ctx, &(lrc_part){k, n_parts});
}

const lrc_back_end lrc_serial = {"serial", parallel, 0};
