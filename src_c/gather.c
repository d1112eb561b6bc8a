/* gather.c: the pass of lrc_gather(), which adds gradients to acc. */

#include <string.h>

#include "run.h"

static void work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    for (lrc_view v; lrc_next(&mine, 0, &v);) {
        const lrc_dtype dtype = v.tensor->dtype;
        const size_t bytes = v.n * lrc_size_of(dtype);
        if (run->first)
            memcpy(v.acc, v.g, bytes);
        else
            run->table[dtype]->sum(v.acc, v.g, v.n, v.acc);
        if (run->plan->zero_grads) memset(v.g, 0, bytes);
    }
}

const lrc_pass lrc_gather_pass = {LRC_ALWAYS, LRC_TAKEN, work, NULL, 0, 0};
