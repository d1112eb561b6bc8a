/* steps.h: steps whose params are the same however they are taken; for C tests. */

#ifndef LRC_TESTS_STEPS_H
#define LRC_TESTS_STEPS_H

#include <stdlib.h>
#include <string.h>

#include "plan.h"

enum { N = 100003, STEPS = 40 };

typedef struct {
    float p[N], g[N], m[N];
    lrc_tensor tensor;
    lrc_group group;
    lrc_plan plan;
    double work[1 << 12];
} run;

static float wanted[N];

static inline void begin(run *r, int threads)
{
    memset(r, 0, sizeof *r);
    for (int i = 0; i < N; i++) r->g[i] = (float)(i % 97) - 48;
    r->tensor.p = r->p;
    r->tensor.g = r->g;
    r->tensor.s[0] = r->m;
    r->tensor.n = N;
    r->group.rule = LRC_momentum;
    r->group.coef[0] = r->group.coef[2] = 1;
    r->group.coef[3] = 0.1;
    r->group.coef[4] = 0.9;
    r->group.coef[5] = 1;
    r->plan.tensor = &r->tensor;
    r->plan.group = &r->group;
    r->plan.n_tensors = r->plan.n_groups = 1;
    r->plan.num_threads = threads;
    r->plan.clip_norm =
        100; /* two passes, of which the second needs all of the first */
    if (lrc_plan_tensors(&r->plan) <= sizeof r->work) r->plan.work = r->work;
}

static inline void steps(run *r, int n)
{
    for (int k = 0; k < n; k++)
        if (lrc_step(&r->plan) != LRC_TAKEN) abort();
}

static inline int is_wanted(const run *r)
{
    return memcmp(r->p, wanted, sizeof wanted) == 0;
}

/* n runs; the first has made what is wanted by one thread.  NULL without memory. */
static inline run *begin_all(size_t n)
{
    run *r = calloc(n, sizeof *r);
    if (!r) return NULL;
    begin(r, 1);
    steps(r, STEPS);
    memcpy(wanted, r->p, sizeof wanted);
    return r;
}

#endif
