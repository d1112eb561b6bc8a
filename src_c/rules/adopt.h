/* rules/adopt.h: ADOPT (Taniguchi et al. 2024, Algorithm 2).
 *
 *     x = g / max(sqrt(v), eps), kept within +-most
 *     m += (1-b1) (x - m);   v += (1-b2) (g^2 - v);   u = m
 *
 * v is that of the steps before.  On the first, 1-b2 = 1 and most = 0, so that v = g^2
 * and u = 0. */

static INLINE real T(adopt)(const real *c, real g, real *s)
{
    const real eps = c[2], most = c[3];
    real root = SQRT(s[1]);
    root = root < eps ? eps : root;
    const real x = T(within)(g / root, most);
    s[0] = T(blend)(s[0], x, c[0]);
    s[1] = T(blend)(s[1], g * g, c[1]);
    return s[0];
}
