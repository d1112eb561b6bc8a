/* squares.h: sums of squares, and numbers outside the range of a double. */

#ifndef LRC_SQUARES_H
#define LRC_SQUARES_H

#include <math.h>

#include "kernels.h"

/* The number x 2^e, for norms and factors outside the range of a double. */
typedef struct {
    double x;
    int e;
} lrc_scaled;

/* The product a b; and the nearest double, infinite or 0 if out of range. */
static inline lrc_scaled lrc_times(lrc_scaled a, lrc_scaled b)
{
    return (lrc_scaled){a.x * b.x, a.e + b.e};
}
static inline double lrc_value(lrc_scaled a)
{
    return a.e == 0 ? a.x : ldexp(a.x, a.e);
}

/* The sum of squares of n elements.  nonfinite: how many are infinite or NaN. */
lrc_squares lrc_squares_of(const lrc_table *table, lrc_dtype dtype, const void *x,
                           size_t n, size_t *nonfinite);

/* Whether a sum of squares of doubles may be wrong, since it overflowed (-1) or lost
 * small squares (1): then it is summed again, with the elements times 2^-600 or 2^600.
 * 0: it is right. */
enum { LRC_SHIFT = 600 };
int lrc_out_of_range(double sum);

/* Whether a sum of squares is finite and has lost no small squares. */
int lrc_is_ordinary(lrc_dtype dtype, double sum);

/* The root of a sum of squares; the square of a number; factor^2 times a sum. */
lrc_scaled lrc_root(const lrc_squares *sum);
lrc_squares lrc_square(lrc_scaled a);
lrc_squares lrc_times_squared(lrc_scaled factor, const lrc_squares *sum);

#endif
