/* kernels.h: the table that kernels.c exports, one for each instruction set and dtype, and
 * cpu.c chooses from. */

#ifndef LRC_KERNELS_H
#define LRC_KERNELS_H

#include "lrcore.h"

/* Elements from which a tensor is taken to be in no cache. */
enum { LRC_STREAMED = 1 << 22 };

/* Which terms of the driver a kernel has.  With gscale = decay = 1 the first two agree
 * to the bit, so the choice is one of speed; the third is taken where l2 is not 0.  The
 * fourth keeps p and writes a direction, for what a scale needs the norm of.  The fifth is
 * for a report: sums of squares of g, of p as updated and of its change, taken where the
 * numbers are in registers, and the divider or the memory is what the loop waits for. */
typedef enum {
    LRC_PLAIN,    /* p -= lr rule(g) */
    LRC_SCALED,   /* p = decay p - lr rule(gscale g) */
    LRC_COUPLED,  /* p = decay p - lr rule(gscale g + l2 p) */
    LRC_EMITTED,  /* u = rule(gscale g + l2 p) + decay p */
    LRC_MEASURED, /* as the first three, with the sums of a strip */
    LRC_N_FORMS
} lrc_form;

/* Steps elements [lo, lo + n) of a tensor; c: coefficients, in the tensor's type. */
typedef void lrc_kernel(const lrc_tensor *t, size_t lo, size_t n, const void *c,
                        lrc_sums *sums);

/* All kernels of one instruction set and dtype: arrays and coefficients are of that type
 * where they are not said to be double. */
typedef struct {
    lrc_kernel *kernel[LRC_N_RULES][LRC_N_FORMS];
    /* The sums of a gauge over elements [lo, lo + n) of a tensor; c: gscale, l2 and the
     * gauge's own, in the tensor's type. */
    void (*gauge[LRC_N_GAUGES])(const lrc_tensor *t, size_t lo, size_t n, const void *c,
                                double *sums);
    /* Mechanic's part in the step of elements [lo, lo + n): before the rule, and after it;
     * sums: those of p and of its change, or NULL. */
    void (*mechanic_begin)(const lrc_tensor *t, size_t lo, size_t n,
                           const lrc_mechanic *by);
    void (*mechanic)(const lrc_tensor *t, size_t lo, size_t n, const lrc_mechanic *by,
                     lrc_sums *sums);
    /* a += weight (p - a), of n elements; p = a where it pulls. */
    void (*average)(void *a, void *p, size_t n, double weight, int pulls);
    /* x = a + b; x = a within [-most, most]; x = factor a: of n elements, x may be a. */
    void (*sum)(const void *a, const void *b, size_t n, void *x);
    void (*clamp)(const void *a, double most, size_t n, void *x);
    void (*multiply)(const void *a, double factor, size_t n, void *x);
    /* The same, by the factors of the units of elements [lo, lo + n) of a tensor. */
    void (*multiply_units)(const lrc_tensor *t, const void *a, size_t lo, size_t n,
                           void *x);
    /* The sum of n squares; for each of n elements, stat[j] += x[j]^2; how many of n are
     * not finite. */
    double (*squares)(const void *x, size_t n);
    void (*add_squares)(const void *x, size_t n, double *stat);
    size_t (*nonfinite)(const void *x, size_t n);
    /* x: elements [lo, lo + n) of a tensor's gradient over their factored root. */
    void (*unfactor)(const lrc_tensor *t, size_t lo, size_t n, void *x);
    /* Of n elements from `lo` on, in one row: its largest second moment; and stat[j],
     * what a column has of them, added or compared. */
    double (*row_most)(const lrc_tensor *t, size_t lo, size_t n);
    void (*col_stat)(const lrc_tensor *t, size_t lo, size_t n, double *stat);
    /* Elements [lo, lo + n) of lrc_traffic(): of floats in either table. */
    void (*traffic)(const float *g, float *const *arrays, int n_arrays, size_t lo,
                    size_t n);
} lrc_table;

/* The tables of the instruction set in use, by lrc_dtype. */
const lrc_table *const *lrc_current_tables(void);

/* Turns a group's coefficients into those of its tensor, whose norms are known. */
typedef void lrc_scale_fn(const double *c, const lrc_norms *norms, double *state,
                          double *coef);
extern lrc_scale_fn *const lrc_scale_fns[LRC_N_SCALES];

#endif
