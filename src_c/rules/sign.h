/* rules/sign.h: steps by the sign alone.
 *
 *     sign     u = sign(g)                            (Bernstein et al. 2018, Alg. 1)
 *     signum   m += (1-b) (g - m);   u = sign(m)      (the same, Algorithm 2)
 *     lion     u = sign(m + (1-b1) (g - m));   m += (1-b2) (g - m)
 *                                                     (Chen et al. 2023, Algorithm 2)
 *
 * sign(0) = 0, and that of a NaN is NaN. */

static INLINE real T(sign_of)(real x) { return x > 0 ? 1 : x < 0 ? -1 : x; }

static INLINE real T(sign)(const real *c, real g, real *s)
{
    (void)c, (void)s;
    return T(sign_of)(g);
}

static INLINE real T(signum)(const real *c, real g, real *s)
{
    s[0] = T(blend)(s[0], g, c[0]);
    return T(sign_of)(s[0]);
}

static INLINE real T(lion)(const real *c, real g, real *s)
{
    const real d = g - s[0], mix = s[0] + c[0] * d;
    s[0] = s[0] + c[1] * d;
    return T(sign_of)(mix);
}
