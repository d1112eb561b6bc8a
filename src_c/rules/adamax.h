/* rules/adamax.h: Adamax (Kingma & Ba 2015, Algorithm 2).
 *
 *     m += (1-b1) (g - m);   n = max(b2 n, |g| + eps);   u = m / (n + outside)
 *
 * The driver's lr carries 1/(1 - b1^t). */

static INLINE real T(adamax)(const real *c, real g, real *s)
{
    s[0] = T(blend)(s[0], g, c[0]);
    const real old = c[1] * s[1], new = ABS(g) + c[2];
    s[1] = old > new ? old : new;
    return s[0] / (s[1] + c[3]);
}
