/* direct.c: the pass for directions that the caller makes from whole gradients, as Muon
 * does by matrix products.  It writes the gradients, gathered and clipped, into u, and
 * the caller replaces them by directions.  Also the pass of lrc_clip(), which writes
 * them into g. */

#include <string.h>

#include "run.h"

/* Write a strip's gradient, as its kernel would get it, times a factor. */
static void write_strip(const lrc_run *run, lrc_view *v, double factor, void *out)
{
    const lrc_dtype dtype = v->tensor->dtype;
    lrc_scratch scratch;
    const void *g = lrc_gradient(run, v, &scratch);
    if (factor != 1)
        run->table[dtype]->multiply(g, factor, v->n, out);
    else if (g != out)
        memcpy(out, g, v->n * lrc_size_of(dtype));
}

static void direct_work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    for (lrc_view v; lrc_next(&mine, 0, &v);)
        if (lrc_group_of(run, &v)->directed) write_strip(run, &v, 1, v.u);
}

static void direct_meet(lrc_run *run) { lrc_ask_caller(run, LRC_ASK_DIRECTED); }

const lrc_pass lrc_direct_pass = {LRC_DIRECTS, LRC_TAKEN, direct_work, direct_meet, 0};

static void clip_work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    for (lrc_view v; lrc_next(&mine, 0, &v);) {
        const double gscale = run->numbers[v.tensor->group].f64[0];
        write_strip(run, &v, gscale, v.g);
    }
}

const lrc_pass lrc_clip_pass = {LRC_ALWAYS, LRC_TAKEN, clip_work, NULL, 0};
