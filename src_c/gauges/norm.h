/* gauges/norm.h: g^2, of Polyak's step (Loizou et al. 2021). */

static INLINE void T(norm)(const real *c, real g, real p, const real *a, double *x)
{
    (void)c, (void)p, (void)a;
    x[0] = (double)g * (double)g;
}
