/* rules/sgd.h: stochastic gradient descent, plain and with momentum.
 *
 *     sgd        u = g
 *     momentum   m = mu m + w g;   u = m            (Polyak 1964)
 *     sgd_hd     u = g, kept as g_old               (Baydin et al. 2018, Algorithm 4)
 *     nesterov   m = mu m + w g;   u = x g + ahead m
 *                (Sutskever et al. 2013, eq. 3-4; p is their point ahead)
 *
 * w = 1 - dampening and ahead = mu; but on the first step of torch's convention m = g.
 * x = 1 where the learning rate stands outside of the momentum. */

static INLINE real T(sgd)(const real *c, real g, real *s)
{
    (void)c, (void)s;
    return g;
}

static INLINE real T(sgd_hd)(const real *c, real g, real *s)
{
    (void)c;
    s[0] = g;
    return g;
}

static INLINE real T(momentum)(const real *c, real g, real *s)
{
    s[0] = c[0] * s[0] + c[1] * g;
    return s[0];
}

static INLINE real T(nesterov)(const real *c, real g, real *s)
{
    s[0] = c[0] * s[0] + c[1] * g;
    return c[2] * g + c[3] * s[0];
}
