/* rules/ftrl.h: FTRL-Proximal (McMahan et al. 2013, Algorithm 1).
 *
 *     sigma = (sqrt(n + g^2) - sqrt(n)) / alpha;   n += g^2;   z += g - sigma p
 *     u = 0 where |z| <= l1, else (sign(z) l1 - z) / ((beta + sqrt(n)) / alpha + l2)
 *
 * inverse = 1/alpha, flat = beta/alpha + l2, and p is decayed before.  u is the parameter
 * itself: the driver has decay = 0 and lr = -1. */

static INLINE real T(ftrl)(const real *c, real g, real *s)
{
    const real inverse = c[0], flat = c[1], l1 = c[2], p = c[3] * s[2];
    const real old = SQRT(s[0]);
    s[0] = s[0] + g * g;
    const real root = SQRT(s[0]);
    s[1] = s[1] + (g - (root - old) * inverse * p);
    const real z = s[1], u = ((z < 0 ? -l1 : l1) - z) / (root * inverse + flat);
    return ABS(z) <= l1 ? 0 : u;
}
