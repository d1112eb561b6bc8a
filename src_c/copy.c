/* copy.c: lrc_copy(), for a copy of a run at one moment, which is saved later. */

#include "plan.h"
#include "portable.h"
#include "split.h"

enum { LINE = 64 };

typedef struct {
    const lrc_block *block;
    size_t n_blocks, total;
} task;

static size_t in_lines(size_t n) { return (n + LINE - 1) / LINE * LINE; }

/* The index of the block that has byte `at`, where each block has whole lines. */
static size_t find(const task *it, size_t at)
{
    size_t low = 0, high = it->n_blocks;
    while (high - low > 1) {
        const size_t mid = low + (high - low) / 2;
        if (it->block[mid].first <= at)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static void work(void *ctx, const lrc_chunk *chunk)
{
    const task *it = ctx;
    size_t at = lrc_begin(it->total, LINE, chunk->k, chunk->n);
    const size_t end = lrc_begin(it->total, LINE, chunk->k + 1, chunk->n);
    for (size_t i = find(it, at); at < end; i++) {
        const lrc_block *b = it->block + i;
        const size_t skip = at - b->first, rest = b->n - skip;
        const size_t n = rest < end - at ? rest : end - at;
        stream_copy((char *)b->to + skip, (const char *)b->of + skip, n);
        at += in_lines(n);
    }
}

void lrc_copy(lrc_block *block, size_t n_blocks, int num_threads)
{
    task it = {block, n_blocks, 0};
    for (size_t i = 0; i < n_blocks; i++) {
        block[i].first = it.total;
        it.total += in_lines(block[i].n);
    }
    const size_t floats = it.total / sizeof(float);
    const int threads = lrc_threads_for(floats, 0, num_threads);
    lrc_parallel(threads, lrc_chunks_for(floats, threads), work, &it);
}
