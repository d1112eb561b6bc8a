/* factor.c: the pass for second moments that are factored into rows and columns.  It
 * takes the sums (or maxima) of rows and columns from which the caller makes the next
 * factors.  Each row and each column is summed by one thread, in order. */

#include <string.h>

#include "run.h"

static lrc_factoring factoring_of(const lrc_run *run, const lrc_tensor *t)
{
    return run->plan->group[t->group].factoring;
}

static double row_stat(const lrc_run *run, const lrc_tensor *t, size_t row)
{
    const lrc_table *table = run->table[t->dtype];
    const size_t n = t->factors.n_cols;
    double lane[LRC_LANES] = {0}, largest = 0;
    lrc_scratch scratch;

    for (size_t done = 0; done < n; done += LRC_STRIP) {
        lrc_view v;
        lrc_view_of(t, row * n + done, n - done < LRC_STRIP ? n - done : LRC_STRIP, &v);
        const void *g = lrc_gradient(run, &v, &scratch);
        if (factoring_of(run, t) == LRC_LEAST)
            largest = table->row_max(&v, g, largest);
        else
            table->squares(g, v.n, lane);
    }
    return factoring_of(run, t) == LRC_LEAST ? largest : lrc_total(lane);
}

/* Set the statistics of columns [from, from + n) of each matrix. */
static void col_stats(const lrc_run *run, const lrc_tensor *t, size_t from, size_t n)
{
    const lrc_factors *f = &t->factors;
    const lrc_factoring factoring = factoring_of(run, t);
    lrc_scratch scratch;

    for (size_t row = 0; row < t->n / f->n_cols; row++) {
        double *stat = f->col_stat + row / f->n_rows * f->n_cols + from;
        lrc_view v;
        lrc_view_of(t, row * f->n_cols + from, n, &v);
        if (row % f->n_rows == 0) memset(stat, 0, n * sizeof *stat);
        run->table[t->dtype]->col_stat(&v, factoring, lrc_gradient(run, &v, &scratch),
                                       stat);
    }
}

static void read_tensor(const lrc_run *run, const lrc_tensor *t, const lrc_chunk *chunk)
{
    const lrc_factors *f = &t->factors;
    const size_t rows = t->n / f->n_cols;
    const size_t last = lrc_begin(rows, 1, chunk->k + 1, chunk->n);
    const size_t end = lrc_begin(f->n_cols, LRC_COLUMNS, chunk->k + 1, chunk->n);
    size_t at = lrc_begin(f->n_cols, LRC_COLUMNS, chunk->k, chunk->n);

    for (size_t row = lrc_begin(rows, 1, chunk->k, chunk->n); row < last; row++)
        f->row_stat[row] = row_stat(run, t, row);
    for (; at < end; at += LRC_STRIP)
        col_stats(run, t, at, end - at < LRC_STRIP ? end - at : LRC_STRIP);
}

static void work(lrc_run *run, const lrc_chunk *chunk)
{
    for (size_t i = 0; i < run->plan->n_tensors; i++) {
        const lrc_tensor *t = run->plan->tensor + i;
        if (factoring_of(run, t) && t->n > 0) read_tensor(run, t, chunk);
    }
}

static void meet(lrc_run *run) { lrc_ask_caller(run, LRC_ASK_FACTORED); }

const lrc_pass lrc_factor_pass = {LRC_FACTORS, LRC_TAKEN, work, meet, 1};
