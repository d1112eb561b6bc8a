/* rules/prodigy.h: Prodigy (Mishchenko & Defazio 2024, Algorithm 4) and D-Adaptation
 * (Defazio & Mishchenko 2023, Algorithms 4 and 5): gradients weighed by an estimate d
 * of the distance to go, which is made of their sum s.
 *
 *     prodigy      x = b g;   m += (1-b1) (a x - m);   v += (1-b2) (x^2 - v);
 *                  s = b3 s + w g;
 *                  u = m / (sqrt(v) + eps)
 *     dadapt_sgd   s = s + w g;   u = p0 - s
 *
 * Prodigy has a = 1 and b = d, and D-Adaptation of Adam a = d lr and b = 1.  In the
 * last rule u is where the parameter is drawn to, as MADGRAD's.  Prodigy's s sums
 * the bounded g, as v does, since d is made of s over sqrt(v). */

static INLINE real T(prodigy)(const real *c, real g, real *s)
{
    const real x = T(within)(c[3] * g, T(SQUARABLE));
    s[0] = T(blend)(s[0], c[2] * x, c[0]);
    s[1] = T(blend)(s[1], x * x, c[1]);
    s[2] = T(saturated)(c[4] * s[2] + c[5] * g, g);
    return s[0] / (SQRT(s[1]) + c[6]);
}

static INLINE real T(dadapt_sgd)(const real *c, real g, real *s)
{
    s[0] = T(saturated)(s[0] + c[0] * g, g);
    return T(within)(s[1] - s[0], T(LARGEST));
}
