/* traffic.c: lrc_traffic(), for benchmarks. */

#include "kernels.h"
#include "split.h"

typedef struct {
    const float *g;
    float *const *arrays;
    int n_arrays;
    size_t n;
} task;

static void work(void *ctx, const lrc_chunk *chunk)
{
    enum { LINE = 64 };
    const task *it = ctx;
    const size_t from = lrc_begin(it->n, LINE, chunk->k, chunk->n);
    const size_t end = lrc_begin(it->n, LINE, chunk->k + 1, chunk->n);
    lrc_current_tables()[LRC_F32]->traffic(it->g, it->arrays, it->n_arrays, from,
                                           end - from);
}

void lrc_traffic(const float *g, float *const *arrays, int n_arrays, size_t n,
                 int num_threads)
{
    task it = {g, arrays, n_arrays, n};
    const int threads = lrc_threads_for(n, 0, num_threads);
    lrc_parallel(threads, lrc_chunks_for(n, threads), work, &it);
}
