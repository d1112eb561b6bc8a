/* rules/schedule_free.h: Schedule-Free learning (Defazio et al. 2024, eq. 3-5).
 *
 *     e = lr d + w y;   z' = z - e;   x' = x + c (z' - x);   y' = z' + b (x' - z')
 *
 * where d is the gradient at y, or Adam's without its momentum (Algorithm 1).  The
 * parameter is y, and x is not kept: it is in y, so that
 *
 *     y' = y - (c (y - z) + share e),   share = 1 - b (1 - c)
 *
 * lr and decay stand in the rule, as they act on y and on z: the driver's are 1. */

static INLINE real T(average_ahead)(const real *c, real d, real y, real *z)
{
    const real e = T(saturated)(c[2] * d + c[3] * y, d);
    const real apart = T(within)(y - *z, T(LARGEST));
    *z = T(within)(*z - e, T(LARGEST));
    return T(within)(c[0] * apart + c[1] * e, T(LARGEST));
}

static INLINE real T(schedule_free)(const real *c, real g, real *s)
{
    return T(average_ahead)(c, g, s[1], s);
}

static INLINE real T(schedule_free_adam)(const real *c, real g, real *s)
{
    s[1] = T(blend)(s[1], g * g, c[4]);
    return T(average_ahead)(c, g / (SQRT(s[1]) * c[5] + c[6]), s[2], s);
}
