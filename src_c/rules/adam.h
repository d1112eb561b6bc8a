/* rules/adam.h: Adam (Kingma & Ba 2015, Algorithm 1) and what shares its moments.
 *
 *     m += (1-b1) (g - m);   v += (1-b2) (g^2 - v);   u = m / (sqrt(v + root) r + eps)
 *
 * r = 1/sqrt(1 - b2^t), and the driver's lr carries 1/(1 - b1^t): one division and one
 * square root an element.  v cannot turn negative: g^2 - v >= -v survives each
 * rounding.  A gradient above SQUARABLE counts as SQUARABLE, in m as in v, so that it
 * makes a step of ordinary size.
 *
 *     amsgrad    (Reddi et al. 2018, Algorithm 2)  the largest x v so far for v
 *     nadam      (Dozat 2016, Algorithm 2)         x g + y m for m: a look ahead
 *     ademamix   (Pagliardini et al. 2025, eq. 2)  m + alpha m_slow for m, where
 *                                                  m_slow += (1-b3) (g - m_slow)
 *     laprop     (Ziyin et al. 2020, Algorithm 1)
 *                m += (1-b1) (g / (sqrt(v) r + eps) - m);
 *                                                  u = m
 *     adabelief  (Zhuang et al. 2020, Algorithm 2) v += (1-b2) ((g - m)^2 - v) + grow
 *     yogi       (Zaheer et al. 2018, Algorithm 2) v += (1-b2) sign(g^2 - v) g^2 */

static INLINE void T(adam_moments)(const real *c, real g, real *s)
{
    s[0] = T(blend)(s[0], g, c[0]);
    s[1] = T(blend)(s[1], g * g, c[1]);
}

static INLINE real T(adam)(const real *c, real g, real *s)
{
    T(adam_moments)(c, g, s);
    return s[0] / (SQRT(s[1] + c[2]) * c[3] + c[4]);
}

static INLINE real T(amsgrad)(const real *c, real g, real *s)
{
    T(adam_moments)(c, g, s);
    const real v = c[5] * s[1];
    s[2] = s[2] > v ? s[2] : v;
    return s[0] / (SQRT(s[2] + c[2]) * c[3] + c[4]);
}

static INLINE real T(nadam)(const real *c, real g, real *s)
{
    T(adam_moments)(c, g, s);
    return (c[5] * g + c[6] * s[0]) / (SQRT(s[1] + c[2]) * c[3] + c[4]);
}

static INLINE real T(ademamix)(const real *c, real g, real *s)
{
    T(adam_moments)(c, g, s);
    s[2] = T(blend)(s[2], g, c[5]);
    return (s[0] + c[6] * s[2]) / (SQRT(s[1] + c[2]) * c[3] + c[4]);
}

static INLINE real T(laprop)(const real *c, real g, real *s)
{
    s[1] = T(blend)(s[1], g * g, c[1]);
    s[0] = T(blend)(s[0], g / (SQRT(s[1] + c[2]) * c[3] + c[4]), c[0]);
    return s[0];
}

static INLINE real T(adabelief)(const real *c, real g, real *s)
{
    s[0] = T(blend)(s[0], g, c[0]);
    const real surprise = g - s[0];
    s[1] = T(blend)(s[1], surprise * surprise, c[1]) + c[5];
    return s[0] / (SQRT(s[1] + c[2]) * c[3] + c[4]);
}

static INLINE real T(yogi)(const real *c, real g, real *s)
{
    s[0] = T(blend)(s[0], g, c[0]);
    const real square = g * g;
    s[1] = s[1] + c[1] * (T(sign_of)(square - s[1]) * square);
    return s[0] / (SQRT(s[1] + c[2]) * c[3] + c[4]);
}
