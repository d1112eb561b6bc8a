/* rules/adam.h: Adam (Kingma & Ba 2015, Algorithm 1).
 *
 *     m += (1-b1) (g - m);   v += (1-b2) (g^2 - v);   u = m / (sqrt(v) r + eps)
 *
 * r = 1/sqrt(1 - b2^t), and the driver's lr carries 1/(1 - b1^t): one division and one
 * square root an element.  v cannot turn negative: g^2 - v >= -v survives each rounding.
 * It is finite while g^2 is: |g| < 1.8e19 in float32; past that v, then m/v, is NaN.
 *
 * amsgrad (Reddi et al. 2018, Algorithm 2) divides by the largest v so far. */

static INLINE void T(adam_moments)(const real *c, real g, real *s)
{
    s[0] += c[0] * (g - s[0]);
    s[1] += c[1] * (g * g - s[1]);
}

static INLINE real T(adam)(const real *c, real g, real *s)
{
    T(adam_moments)(c, g, s);
    return s[0] / (SQRT(s[1]) * c[2] + c[3]);
}

static INLINE real T(amsgrad)(const real *c, real g, real *s)
{
    T(adam_moments)(c, g, s);
    s[2] = s[2] > s[1] ? s[2] : s[1];
    return s[0] / (SQRT(s[2]) * c[2] + c[3]);
}
