/* squares.c: sums of squares, and numbers outside the range of a double.
 *
 * If the sum of squares of a strip overflows, or is so small that the squares of
 * elements may have vanished, it is taken again of 2^-600 x or 2^600 x.  This never
 * happens with float32 elements, whose squares are normal doubles. */

#include "squares.h"

#include <float.h>
#include <math.h>

static const double UP = 0x1p600, DOWN = 0x1p-600; /* 2^+-LRC_SHIFT */

/* A sum of squares from here on has lost nothing that counts: the norm is at least
 * 2^-450, and an element whose square vanishes, below 2^-511, is less than 2^-60 of
 * that. */
static const double SAFE = 0x1p-900;

int lrc_out_of_range(double sum) { return sum > DBL_MAX ? -1 : sum < SAFE; }

static double sum_of(const lrc_table *table, const void *x, size_t n)
{
    double lane[LRC_LANES] = {0};
    table->squares(x, n, lane);
    return lrc_total(lane);
}

/* The sum of (factor x)^2, for at most a strip of doubles. */
static double sum_of_scaled(const lrc_table *table, const void *x, size_t n,
                            double factor)
{
    double scaled[LRC_STRIP];
    table->multiply(x, factor, n, scaled);
    return sum_of(table, scaled, n);
}

int lrc_is_ordinary(lrc_dtype dtype, double sum)
{
    return sum <= DBL_MAX && (dtype == LRC_F32 || sum >= SAFE);
}

lrc_squares lrc_squares_of(const lrc_table *table, lrc_dtype dtype, const void *x,
                           size_t n, size_t *nonfinite)
{
    const double sum = sum_of(table, x, n);
    *nonfinite = 0;
    if (lrc_is_ordinary(dtype, sum)) return (lrc_squares){.mid = sum};
    *nonfinite = table->nonfinite(x, n);
    if (dtype == LRC_F64 && sum < SAFE)
        return (lrc_squares){.small = sum_of_scaled(table, x, n, UP)};
    if (dtype == LRC_F64 && sum > DBL_MAX && *nonfinite == 0)
        return (lrc_squares){.large = sum_of_scaled(table, x, n, DOWN)};
    return (lrc_squares){.mid = sum};
}

void lrc_add_squares(lrc_squares *a, const lrc_squares *b)
{
    a->mid += b->mid;
    a->small += b->small;
    a->large += b->large;
}

lrc_scaled lrc_root(const lrc_squares *s)
{
    if (s->large > 0)
        return (lrc_scaled){sqrt(s->large + s->mid * DOWN * DOWN), LRC_SHIFT};
    if (s->mid > 0 || s->mid != s->mid)
        return (lrc_scaled){sqrt(s->mid + s->small * DOWN * DOWN), 0};
    if (s->small > 0) return (lrc_scaled){sqrt(s->small), -LRC_SHIFT};
    return (lrc_scaled){0, 0};
}

double lrc_norm(const lrc_squares *sum) { return lrc_value(lrc_root(sum)); }

lrc_squares lrc_square(lrc_scaled a)
{
    const double x = lrc_value(a);
    if (x * x > DBL_MAX) return (lrc_squares){.large = x * DOWN * (x * DOWN)};
    if (x * x < SAFE) return (lrc_squares){.small = x * UP * (x * UP)};
    return (lrc_squares){.mid = x * x};
}

lrc_squares lrc_times_squared(lrc_scaled f, const lrc_squares *s)
{
    const double ff = f.x * f.x;
    if (f.e == 0 && (f.x == 0 || (ff > SAFE && ff < 1 / SAFE)))
        return (lrc_squares){ff * s->mid, ff * s->small, ff * s->large};
    return lrc_square(lrc_times(f, lrc_root(s)));
}
