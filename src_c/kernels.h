/* kernels.h: the table of kernels.  kernels.c exports one for each instruction set and
 * dtype; cpu.c chooses among them. */

#ifndef LRC_KERNELS_H
#define LRC_KERNELS_H

#include "plan.h"
#include "view.h"

/* The forms of a kernel, by the terms of the driver that it has.
 *
 * PLAIN is faster than SCALED, and equal to the bit if gscale = decay = 1.  COUPLED is
 * used if l2 is not 0.  EMITTED does not change p: it writes a direction, for a scale
 * that needs its norm.  MEASURED is used for a report: it also sums the squares of g,
 * of the new p and of the change of p, while these are in the first cache.  EMITTED,
 * MEASURED and SMALL leave out a term whose coefficient is 0. */
typedef enum {
    LRC_PLAIN,    /* p -= lr rule(g) */
    LRC_SCALED,   /* p = decay p - lr rule(gscale g) */
    LRC_COUPLED,  /* p = decay p - lr rule(gscale g + l2 p) */
    LRC_EMITTED,  /* u = rule(gscale g + l2 p) + decay p */
    LRC_MEASURED, /* any of the first three, with the sums of a strip */
    LRC_N_FORMS,
    LRC_SMALL = LRC_N_FORMS /* any of the first three: the least code, in no table */
} lrc_form;

/* The elements of a streamed tensor for which memory is asked at once; and how many
 * elements before their turn it is asked for them, and for those of a sum. */
enum { LRC_BLOCK = 128, LRC_AHEAD = 512 };

/* A sum is taken in this many lanes: element i is added to lane i modulo LRC_LANES. */
enum { LRC_LANES = 32 };

/* The sum of the lanes: the second half is added to the first, until one is left.  Told
 * the length of each half, compilers take vectors. */
static inline void lrc_add_half(double *lane, int half)
{
    for (int j = 0; j < half; j++) lane[j] += lane[j + half];
}
static inline double lrc_total(double *lane)
{
    _Static_assert(LRC_LANES == 32, "there are five halves");
    lrc_add_half(lane, 16);
    lrc_add_half(lane, 8);
    lrc_add_half(lane, 4);
    lrc_add_half(lane, 2);
    return lane[0] + lane[1];
}

/* A kernel's sums of squares over a strip: of g, of the new p, of the change of p. */
typedef struct {
    double g, p, u;
} lrc_sums;

/* Steps the elements of a view; c: coefficients, in the view's type. */
typedef void lrc_kernel(const lrc_view *v, const void *c, lrc_sums *sums);

/* The numbers by which a second moment changes: see factor.c. */
typedef struct {
    double w, more, least, most, floor;
} lrc_moment;

/* The lines of a strip's matrices: `row` begins with the strip's first row, and `col`
 * with the first column of its matrix. */
typedef struct {
    /* LRC_PRODUCT: the inverse roots of the factors, whose product is `bound` at most.
     * LRC_LEAST: the factors, to which `bound` is added. */
    const void *row, *col;
    size_t n_rows, n_cols;
    double bound;
    /* LRC_LEAST, written: the largest second moment of each row, and of each column;
     * from one row to the next, col_most moves on by next_most. */
    void *row_most, *col_most;
    size_t next_most;
} lrc_lines;

/* All kernels of one instruction set and dtype.  Arrays and coefficients are of that
 * type unless they are declared double or float. */
typedef struct {
    lrc_kernel *kernel[LRC_N_RULES][LRC_N_FORMS];
    /* The sums of a gauge over a view; c: gscale, l2 and the gauge's own. */
    void (*gauge[LRC_N_GAUGES])(const lrc_view *v, const void *c, double *sums);
    /* Mechanic, before the rule and after it; sums: of p and of its change, or NULL. */
    void (*mechanic_begin)(const lrc_view *v, const lrc_mechanic *by);
    void (*mechanic)(const lrc_view *v, const lrc_mechanic *by, lrc_sums *sums);
    /* a += weight (p - a), for n elements; then p = a, if the average pulls. */
    void (*average)(void *a, void *p, size_t n, double weight, int pulls);
    /* For n elements, where x may be a: x = a + b; x = a clamped to [-most, most];
     * x = factor a. */
    void (*sum)(const void *a, const void *b, size_t n, void *x);
    void (*clamp)(const void *a, double most, size_t n, void *x);
    void (*multiply)(const void *a, double factor, size_t n, void *x);
    /* x = a times the factor of each element's unit. */
    void (*multiply_units)(const lrc_view *v, const void *a, void *x);
    /* Add n squares to LRC_LANES lanes. */
    void (*squares)(const void *x, size_t n, double *lane);
    /* stat[j] += x[j]^2, for n elements. */
    void (*add_squares)(const void *x, size_t n, double *stat);
    /* How many of n elements are infinite or NaN. */
    size_t (*nonfinite)(const void *x, size_t n);
    /* u = g divided by the root of its second moment, by its lines; or where the tensor
     * has one side, which is replaced by the new second moment if `keeps` is set. */
    void (*unfactor_product)(const lrc_view *v, const void *g, const lrc_lines *lines,
                             void *u);
    void (*unfactor_least)(const lrc_view *v, const void *g, const lrc_lines *lines,
                           void *u);
    void (*whole)(const lrc_moment *by, lrc_factoring factoring, const void *g,
                  void *side, size_t n, void *u, int keeps);
    /* Of n_rows rows of n elements: row[i * stride] = the sum of their squares, and
     * those of the columns are added to col.  `ahead`: how many elements before their
     * turn memory is asked for them. */
    void (*sum_lines)(const void *g, size_t n_rows, size_t n, size_t ahead, double *row,
                      size_t stride, double *col);
    /* most = the larger of most and x, for n elements; NaN if one is. */
    void (*larger)(const void *x, size_t n, void *most);
    /* Elements [lo, lo + n) of lrc_traffic(); float in both tables. */
    void (*traffic)(const float *g, float *const *arrays, int n_arrays, size_t lo,
                    size_t n);
} lrc_table;

/* The tables of the instruction set in use, indexed by lrc_dtype. */
const lrc_table *const *lrc_current_tables(void);

#endif
