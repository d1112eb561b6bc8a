/* gauges/norm.h: the gauge of the Polyak step (Loizou et al. 2021): g^2. */

static INLINE void T(norm)(const real *c, real g, real p, const real *a, double *x)
{
    (void)c, (void)p, (void)a;
    x[0] = (double)g * (double)g;
}
