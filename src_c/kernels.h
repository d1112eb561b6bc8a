/* kernels.h: the table that kernels.c exports, one for each instruction set and dtype, and
 * cpu.c chooses from. */

#ifndef LRC_KERNELS_H
#define LRC_KERNELS_H

#include "lrcore.h"
#include "view.h"

/* Which terms of the driver a kernel has.  With gscale = decay = 1 the first two agree
 * to the bit, so the choice is one of speed; the third is taken where l2 is not 0.  The
 * fourth keeps p and writes a direction, for what a scale needs the norm of.  The fifth is
 * for a report: sums of squares of g, of p as updated and of its change, taken where the
 * numbers are in registers, and the divider or the memory is what the loop waits for.  In
 * the last two a term whose coefficient is 0 is absent. */
typedef enum {
    LRC_PLAIN,    /* p -= lr rule(g) */
    LRC_SCALED,   /* p = decay p - lr rule(gscale g) */
    LRC_COUPLED,  /* p = decay p - lr rule(gscale g + l2 p) */
    LRC_EMITTED,  /* u = rule(gscale g + l2 p) + decay p */
    LRC_MEASURED, /* as the first three, with the sums of a strip */
    LRC_N_FORMS
} lrc_form;

/* Lanes that sums are taken in: element i goes to lane i modulo LRC_LANES. */
enum { LRC_LANES = 32 };

/* What lanes add up to, in halves. */
static inline double lrc_total(double *lane)
{
    for (int half = LRC_LANES / 2; half > 0; half /= 2)
        for (int j = 0; j < half; j++) lane[j] += lane[j + half];
    return lane[0];
}

/* Sums of squares that a kernel takes of a strip: of g, of p as updated, of its change. */
typedef struct {
    double g, p, u;
} lrc_sums;

/* Steps the elements of a view; c: coefficients, in the view's type. */
typedef void lrc_kernel(const lrc_view *v, const void *c, lrc_sums *sums);

/* All kernels of one instruction set and dtype: arrays and coefficients are of that type
 * where they are not said to be double. */
typedef struct {
    lrc_kernel *kernel[LRC_N_RULES][LRC_N_FORMS];
    /* The sums of a gauge over a view; c: gscale, l2 and the gauge's own. */
    void (*gauge[LRC_N_GAUGES])(const lrc_view *v, const void *c, double *sums);
    /* Mechanic's part in the step of a view: before the rule, and after it; sums: those of
     * p and of its change, or NULL. */
    void (*mechanic_begin)(const lrc_view *v, const lrc_mechanic *by);
    void (*mechanic)(const lrc_view *v, const lrc_mechanic *by, lrc_sums *sums);
    /* a += weight (p - a), of n elements; p = a where it pulls. */
    void (*average)(void *a, void *p, size_t n, double weight, int pulls);
    /* x = a + b; x = a within [-most, most]; x = factor a: of n elements, x may be a. */
    void (*sum)(const void *a, const void *b, size_t n, void *x);
    void (*clamp)(const void *a, double most, size_t n, void *x);
    void (*multiply)(const void *a, double factor, size_t n, void *x);
    /* x = a times the factor of each element's unit. */
    void (*multiply_units)(const lrc_view *v, const void *a, void *x);
    /* Add n squares to LRC_LANES lanes; for each of n elements, stat[j] += x[j]^2; how
     * many of n are not finite. */
    void (*squares)(const void *x, size_t n, double *lane);
    void (*add_squares)(const void *x, size_t n, double *stat);
    size_t (*nonfinite)(const void *x, size_t n);
    /* x = a over its factored root. */
    void (*unfactor)(const lrc_view *v, lrc_factoring factoring, const void *a,
                     void *x);
    /* Of a view within one row: the largest second moment of a, or `most`; and stat[j],
     * what a column has of it, added or compared. */
    double (*row_most)(const lrc_view *v, const void *a, double most);
    void (*col_stat)(const lrc_view *v, lrc_factoring factoring, const void *a,
                     double *stat);
    /* Elements [lo, lo + n) of lrc_traffic(): of floats in either table. */
    void (*traffic)(const float *g, float *const *arrays, int n_arrays, size_t lo,
                    size_t n);
} lrc_table;

/* The tables of the instruction set in use, by lrc_dtype. */
const lrc_table *const *lrc_current_tables(void);

#endif
