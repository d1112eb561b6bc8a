/* place.c: the pass of lrc_zero_arrays(), which zeroes new arrays. */

#include <string.h>

#include "run.h"

static void zero(void *x, size_t bytes)
{
    if (x) memset(x, 0, bytes);
}

static void work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    for (lrc_view v; lrc_next(&mine, 1, &v);) {
        const size_t bytes = v.n * lrc_size_of(v.tensor->dtype);
        zero(v.acc, bytes);
        zero(v.u, bytes);
        zero(v.delta, bytes);
        zero(v.p0, bytes);
        for (int k = 0; k < LRC_MAX_STATES; k++) zero(v.s[k], bytes);
        for (int k = 0; k < LRC_MAX_AVERAGES; k++) zero(v.a[k], bytes);
    }
}

const lrc_pass lrc_place_pass = {LRC_ALWAYS, LRC_TAKEN, work, NULL, 0, 0};
