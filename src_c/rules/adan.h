/* rules/adan.h: Adan (Xie et al. 2024, Algorithm 1).
 *
 *     e = again (g - g_old);   g_old = g
 *     m += (1-b1) (g - m);   d += (1-b2) (e - d);   n += (1-b3) ((g + b2 e)^2 - n)
 *     u = (m + y d) / (sqrt(n) r + eps)
 *
 * again = 0 on the first step, then 1.  y = b2 (1 - b1^t) / (1 - b2^t), and the
 * driver's lr carries 1/(1 - b1^t). */

static INLINE real T(adan)(const real *c, real g, real *s)
{
    const real e = c[3] * (g - s[3]), ahead = g + c[4] * e;
    s[0] = T(blend)(s[0], g, c[0]);
    s[1] = T(blend)(s[1], e, c[1]);
    s[2] = T(blend)(s[2], ahead * ahead, c[2]);
    s[3] = T(if_finite)(g, g); /* flushed, as arithmetic does it */
    return (s[0] + c[5] * s[1]) / (SQRT(s[2]) * c[6] + c[7]);
}
