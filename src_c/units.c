/* units.c: adaptive clipping of each unit by its own norms. */

#include <math.h>
#include <string.h>

#include "run.h"

int lrc_has_units(const lrc_run *run, const lrc_tensor *t)
{
    return run->plan->group[t->group].agc != 0 && t->units.outer * t->units.inner > 1;
}

/* --- norms ------------------------------------------------------------------------ */

/* Measure unit u of a tensor whose inner is 1: its elements are contiguous. */
static void measure_row(const lrc_run *run, const lrc_tensor *t, size_t u)
{
    const lrc_table *table = run->table[t->dtype];
    const size_t reduced = t->units.reduced;
    lrc_squares g = {0}, p = {0}, part;
    lrc_scratch scratch;
    size_t ignored;

    for (size_t done = 0; done < reduced; done += LRC_STRIP) {
        const size_t left = reduced - done;
        lrc_view v;
        lrc_view_of(t, u * reduced + done, left < LRC_STRIP ? left : LRC_STRIP, &v);
        const void *x = lrc_clamped(run, &v, lrc_gathered(run, &v, &scratch), &scratch);
        part = lrc_squares_of(table, t->dtype, x, v.n, &ignored);
        lrc_add_squares(&g, &part);
        part = lrc_squares_of(table, t->dtype, v.p, v.n, &ignored);
        lrc_add_squares(&p, &part);
    }
    run->unit[t->first_unit + u] = (lrc_unit){lrc_root(&g), lrc_root(&p)};
}

/* Adjacent units, of which a thread sums n at a time. */
typedef struct {
    const lrc_tensor *t;
    size_t outer, from, n; /* inner indices [from, from + n) of an outer index */
} columns;

/* Sum the squares of 2^e times their elements: gg of the gradient, pp of p. */
static void sum_columns(const lrc_run *run, const columns *c, int e, double *gg,
                        double *pp)
{
    const lrc_units *units = &c->t->units;
    const lrc_table *table = run->table[c->t->dtype];
    lrc_scratch scratch;

    memset(gg, 0, c->n * sizeof *gg);
    memset(pp, 0, c->n * sizeof *pp);
    for (size_t i = 0; i < units->reduced; i++) {
        const size_t row = c->outer * units->reduced + i;
        lrc_view v;
        lrc_view_of(c->t, row * units->inner + c->from, c->n, &v);
        const void *g = lrc_clamped(run, &v, lrc_gathered(run, &v, &scratch), &scratch);
        const void *p = v.p;
        if (e != 0) table->multiply(g, ldexp(1, e), v.n, &scratch), g = &scratch;
        table->add_squares(g, v.n, gg);
        if (e != 0) table->multiply(p, ldexp(1, e), v.n, &scratch), p = &scratch;
        table->add_squares(p, v.n, pp);
    }
}

/* Measure columns.  Sums that are out of range are taken again, of scaled elements. */
static void measure_columns(lrc_run *run, const columns *c)
{
    lrc_unit *unit =
        run->unit + c->t->first_unit + c->outer * c->t->units.inner + c->from;
    double gg[LRC_STRIP], pp[LRC_STRIP];
    int again[3] = {0}; /* by 1 + lrc_out_of_range(): whether there is such a sum */

    sum_columns(run, c, 0, gg, pp);
    for (size_t j = 0; j < c->n; j++) {
        unit[j].g = (lrc_scaled){sqrt(gg[j]), 0};
        unit[j].p = (lrc_scaled){sqrt(pp[j]), 0};
        again[1 + lrc_out_of_range(gg[j])] = again[1 + lrc_out_of_range(pp[j])] = 1;
    }
    for (int way = -1; way <= 1 && c->t->dtype == LRC_F64; way += 2) {
        if (!again[1 + way]) continue;
        sum_columns(run, c, way * LRC_SHIFT, gg, pp);
        for (size_t j = 0; j < c->n; j++) {
            lrc_scaled *g = &unit[j].g, *p = &unit[j].p;
            if (g->e == 0 && lrc_out_of_range(g->x * g->x) == way)
                *g = (lrc_scaled){sqrt(gg[j]), -way * LRC_SHIFT};
            if (p->e == 0 && lrc_out_of_range(p->x * p->x) == way)
                *p = (lrc_scaled){sqrt(pp[j]), -way * LRC_SHIFT};
        }
    }
}

/* Measure a chunk of a tensor's units. */
static void measure_tensor(lrc_run *run, const lrc_tensor *t, const lrc_chunk *chunk)
{
    const lrc_units *units = &t->units;
    const size_t rows = units->inner == 1 ? units->outer : 0;
    const size_t last = lrc_begin(rows, 1, chunk->k + 1, chunk->n);
    const size_t end = lrc_begin(units->inner, LRC_COLUMNS, chunk->k + 1, chunk->n);

    for (size_t u = lrc_begin(rows, 1, chunk->k, chunk->n); u < last; u++)
        measure_row(run, t, u);
    for (size_t outer = 0; !rows && outer < units->outer; outer++) {
        size_t at = lrc_begin(units->inner, LRC_COLUMNS, chunk->k, chunk->n);
        for (; at < end; at += LRC_STRIP) {
            const size_t left = end - at;
            const columns c = {t, outer, at, left < LRC_STRIP ? left : LRC_STRIP};
            measure_columns(run, &c);
        }
    }
}

static void work(lrc_run *run, const lrc_chunk *chunk)
{
    for (size_t i = 0; i < run->plan->n_tensors; i++) {
        const lrc_tensor *t = run->plan->tensor + i;
        if (lrc_has_units(run, t) && lrc_own(t) > 0) measure_tensor(run, t, chunk);
    }
}

const lrc_pass lrc_units_pass = {LRC_UNITS, LRC_TAKEN, work, NULL, 1, LRC_MERGES_UNITS};

/* --- factors ---------------------------------------------------------------------- */

static void set_factor(lrc_run *run, const lrc_tensor *t, size_t u, lrc_scaled f)
{
    double half[2];
    lrc_halve(f, half);
    for (int k = 0; k < 2; k++) {
        double *factor = run->unit_factor[k] + t->first_unit;
        if (t->dtype == LRC_F32)
            ((float *)factor)[u] = (float)half[1 - k];
        else
            factor[u] = half[1 - k];
    }
    run->units_halved |= half[0] != 1;
}

lrc_squares lrc_clip_units(lrc_run *run, const lrc_tensor *t, lrc_scaled scale,
                           const lrc_squares *total)
{
    const lrc_group *group = run->plan->group + t->group;
    lrc_squares left = {0};
    int clips = 0;

    for (size_t u = 0; t->n > 0 && u < t->units.outer * t->units.inner; u++) {
        const lrc_unit *unit = run->unit + t->first_unit + u;
        const lrc_scaled g = lrc_times(scale, unit->g);
        const lrc_scaled f = lrc_clip_factor(g, lrc_agc_max_norm(group, unit->p));
        set_factor(run, t, u, f);
        const lrc_squares part = lrc_square(lrc_times(f, g));
        lrc_add_squares(&left, &part);
        clips |= f.x != 1 || f.e != 0;
    }
    return clips ? left : *total;
}
