/* rules/adagrad.h: Adagrad (Duchi, Hazan & Singer 2011, Figure 1, diagonal form).
 *
 *     a += g^2;   u = g / (sqrt(a + root) + eps) */

static INLINE real T(adagrad)(const real *c, real g, real *s)
{
    s[0] = T(capped)(s[0] + g * g);
    return g / (SQRT(s[0] + c[0]) + c[1]);
}
