/* rules/adadelta.h: Adadelta (Zeiler 2012, Algorithm 1).
 *
 *     v += (1-rho) (g^2 - v)
 *     u = sqrt((d + eps) / (v + eps)) g
 *     d += (1-rho) (u^2 - d)
 *
 * One square root of the quotient stands for the paper's quotient of two; it can
 * underflow to a step of 0 where |g| sqrt(1-rho) > sqrt(eps) 9e18 in float32, far from
 * any use. */

static INLINE real T(adadelta)(const real *c, real g, real *s)
{
    s[0] = T(blend)(s[0], g * g, c[0]);
    const real u = SQRT((s[1] + c[1]) / (s[0] + c[1])) * g;
    s[1] = T(blend)(s[1], u * u, c[0]);
    return u;
}
