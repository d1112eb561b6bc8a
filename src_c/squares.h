/* squares.h: sums of squares, and numbers past a double's range. */

#ifndef LRC_SQUARES_H
#define LRC_SQUARES_H

#include <math.h>

#include "kernels.h"

/* The number x 2^e: for norms and factors that a double does not hold. */
typedef struct {
    double x;
    int e;
} lrc_scaled;

/* a b, and the number itself, as near as a double comes. */
static inline lrc_scaled lrc_times(lrc_scaled a, lrc_scaled b)
{
    return (lrc_scaled){a.x * b.x, a.e + b.e};
}
static inline double lrc_value(lrc_scaled a)
{
    return a.e == 0 ? a.x : ldexp(a.x, a.e);
}

/* The sum of squares of n elements.  nonfinite: how many of them are infinite or NaN. */
lrc_squares lrc_squares_of(const lrc_table *table, lrc_dtype dtype, const void *x,
                           size_t n, size_t *nonfinite);

/* Whether a sum of squares of doubles may have left their range, and is to be taken once
 * more of numbers that are smaller (-1) or larger (1) by 2^LRC_SHIFT. */
enum { LRC_SHIFT = 600 };
int lrc_out_of_range(double sum);

/* Whether a kernel's sum of squares can be kept as it is: it is finite, and lost nothing. */
int lrc_is_ordinary(lrc_dtype dtype, double sum);

/* The root of a sum of squares; the square of a number; and factor^2 times a sum. */
lrc_scaled lrc_root(const lrc_squares *sum);
lrc_squares lrc_square(lrc_scaled a);
lrc_squares lrc_times_squared(lrc_scaled factor, const lrc_squares *sum);

#endif
