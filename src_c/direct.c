/* direct.c: the pass for directions that the caller makes from whole arrays, as Muon
 * does by matrix products.  The rule writes its direction into u, from the gradient,
 * gathered and clipped, and the caller replaces it by another one.  The states advance
 * later, with p: until then, the step can be refused.  Also the pass of lrc_clip(). */

#include <string.h>

#include "run.h"

/* Run the rule of a directed group, which writes u and the states.  gscale, l2 and
 * decay are for the caller's direction. */
static void emit(const lrc_run *run, const lrc_view *v)
{
    const lrc_dtype dtype = v->tensor->dtype;
    lrc_numbers own = run->numbers[v->tensor->group];
    for (int k = 0; k < LRC_RULE_COEFS; k++) own.f64[k] = own.f32[k] = k == 0;
    run->table[dtype]->kernel[lrc_group_of(run, v)->rule][LRC_EMITTED](
        v, lrc_coefs(&own, dtype), NULL);
}

/* Let a strip's states be copies. */
static void copy_states(const lrc_run *run, lrc_view *v, lrc_scratch *copy)
{
    for (int k = 0; k < lrc_rules[lrc_group_of(run, v)->rule].n_state; k++) {
        memcpy(copy + k, v->s[k], v->n * lrc_size_of(v->tensor->dtype));
        v->s[k] = copy + k;
    }
}

static void direct_work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    lrc_scratch g, state[LRC_MAX_STATES];
    for (lrc_view v; lrc_next(&mine, 0, &v);)
        if (lrc_group_of(run, &v)->directed) {
            v.g = (void *)lrc_gradient(run, &v, &g);
            copy_states(run, &v, state);
            emit(run, &v);
        }
}

static void direct_meet(lrc_run *run) { lrc_ask_caller(run, LRC_ASK_DIRECTED); }

const lrc_pass lrc_direct_pass = {LRC_DIRECTS, LRC_TAKEN, direct_work,
                                  direct_meet, 0,         0};

void lrc_advance_states(const lrc_run *run, const lrc_view *v, lrc_scratch scratch[2])
{
    lrc_view own = *v;
    own.g = (void *)lrc_gradient(run, &own, scratch);
    own.u = scratch + 1;
    emit(run, &own);
}

/* --- clipping by itself ----------------------------------------------------------- */

static void clip_work(lrc_run *run, const lrc_chunk *chunk)
{
    lrc_stretch mine = lrc_stretch_of(run->plan, chunk);
    lrc_scratch scratch;
    for (lrc_view v; lrc_next(&mine, 0, &v);) {
        const lrc_dtype dtype = v.tensor->dtype;
        const double gscale = run->numbers[v.tensor->group].f64[0];
        const void *g = lrc_gradient(run, &v, &scratch);
        if (gscale != 1)
            run->table[dtype]->multiply(g, gscale, v.n, v.g);
        else if (g != v.g)
            memcpy(v.g, g, v.n * lrc_size_of(dtype));
    }
}

const lrc_pass lrc_clip_pass = {LRC_ALWAYS, LRC_TAKEN, clip_work, NULL, 0, 0};
