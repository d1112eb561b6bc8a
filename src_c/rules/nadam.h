/* rules/nadam.h: NAdam (Dozat 2016, Algorithm 2).
 *
 *     m, v as Adam's;   u = (x g + y m) / (sqrt(v) r + eps)
 *
 * x = (1 - mu_t) / (1 - mu_1 ... mu_t) and y = mu_t+1 / (1 - mu_1 ... mu_t+1): Nesterov's
 * look ahead, with each term's own correction. */

static INLINE real T(nadam)(const real *c, real g, real *s)
{
    T(adam_moments)(c, g, s);
    return (c[2] * g + c[3] * s[0]) / (SQRT(s[1]) * c[4] + c[5]);
}
