/* rules/rmsprop.h: RMSprop (Tieleman & Hinton 2012, lecture 6e), centered (Graves 2013,
 * eq. 38-41), each with or without momentum.
 *
 *     v += (1-a) (g^2 - v);     d = g / (sqrt(v + root) + eps)
 *     centered:                 mg += (1-a) (g - mg);   v - mg^2 in the place of v
 *     without momentum:         u = d
 *     with it:                  m = mu m + w d;   u = m
 *
 * v - mg^2 is a variance; rounding can make it negative, hence the bound, which is
 * written so that a NaN stays a NaN.  w = 1 where lr stands outside of the momentum. */

static INLINE real T(rmsprop)(const real *c, real g, real *s)
{
    s[0] = T(blend)(s[0], g * g, c[0]);
    return g / (SQRT(s[0] + c[1]) + c[2]);
}

static INLINE real T(rmsprop_centered)(const real *c, real g, real *s)
{
    s[0] = T(blend)(s[0], g * g, c[0]);
    s[1] = T(blend)(s[1], g, c[0]);
    const real variance = s[0] - s[1] * s[1];
    return g / (SQRT((variance < 0 ? 0 : variance) + c[1]) + c[2]);
}

static INLINE real T(rmsprop_momentum)(const real *c, real g, real *s)
{
    s[1] = c[3] * s[1] + c[4] * T(rmsprop)(c, g, s);
    return s[1];
}

static INLINE real T(rmsprop_centered_momentum)(const real *c, real g, real *s)
{
    s[2] = c[3] * s[2] + c[4] * T(rmsprop_centered)(c, g, s);
    return s[2];
}
