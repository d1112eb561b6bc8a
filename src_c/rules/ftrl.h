/* rules/ftrl.h: FTRL-Proximal (McMahan et al. 2013, Algorithm 1).
 *
 *     sigma = (sqrt(n + g^2) - sqrt(n)) / alpha;   n += g^2;   z += g - sigma p
 *     u = 0 where |z| <= l1, else (sign(z) l1 - z) / ((beta + sqrt(n)) / alpha + l2)
 *
 * inverse = 1/alpha, flat = beta/alpha + l2, and p is decayed before.  u is the
 * parameter itself: the driver has decay = 0 and lr = -1.
 *
 * u is 0, too, where g^2 underflows and nothing else is there to divide by.
 * g counts w times: 1, or 0 in a step of rate 0, which leaves n and z as they are. */

static INLINE real T(ftrl)(const real *c, real g, real *s)
{
    const real inverse = c[0], flat = c[1], l1 = c[2], p = c[3] * s[2];
    const real old = SQRT(s[0]);
    g = c[4] * g;
    s[0] = T(capped)(s[0] + g * g);
    const real root = SQRT(s[0]);
    const real sigma = T(within)((root - old) * inverse, T(LARGEST));
    s[1] = T(within)(s[1] + (g - sigma * p), T(LARGEST));
    const real z = s[1], under = root * inverse + flat;
    const real u = ((z < 0 ? -l1 : l1) - z) / under;
    return ABS(z) <= l1 || under == 0 ? 0 : u;
}
