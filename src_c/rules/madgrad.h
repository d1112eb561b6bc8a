/* rules/madgrad.h: MADGRAD (Defazio & Jelassi 2022, Algorithm 1).
 *
 *     s += w g;   v += w g^2;   u = p0 - s / (cbrt(v) + eps)
 *
 * w = (lr + eps) sqrt(t), or 0 where lr is.  u is where the parameter is drawn to: the
 * driver has decay = 1 - c and lr = -c.
 *
 * There is no cube root that every processor rounds alike, so this one is made of what
 * all do: Newton's y <- y (4 - v y^3) / 3 for y = v^(-1/3), from a start that divides
 * the exponent by -3 (within 4 % for a normal v), so that the error is 2e-3, 7e-6,
 * 1e-10, 2e-20. */

static INLINE real T(cbrt_of)(real v)
{
    BITS i;
    memcpy(&i, &v, sizeof i);
    i = i >> 2; /* by 1/4 + 1/16 + ... = 1/3 */
    i = i + (i >> 2);
    i = i + (i >> 4);
    i = i + (i >> 8);
    i = (sizeof i == 4 ? (BITS)0x54a2fa8c : (BITS)0x553ef0ff289dd796) - i;
    real y;
    memcpy(&y, &i, sizeof y);
    for (int k = 0; k < (sizeof i == 4 ? 3 : 4); k++)
        y = y * ((real)(4. / 3) - (v * y) * (y * y) * (real)(1. / 3));
    return v * y * y;
}

static INLINE real T(madgrad)(const real *c, real g, real *s)
{
    s[0] = s[0] + c[0] * g;
    s[1] = T(capped)(s[1] + c[0] * (g * g));
    return s[2] - s[0] / (T(cbrt_of)(s[1]) + c[1]);
}
