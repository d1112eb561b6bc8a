/* gauges/distance.h: the gauge of DoG (Ivgi et al. 2023) and DoWG (Khaled et al. 2023):
 * g^2, (p - p0)^2 and p^2, where p0 is the initial p. */

static INLINE void T(distance)(const real *c, real g, real p, const real *a, double *x)
{
    const double r = (double)p - (double)a[0];
    (void)c;
    x[0] = (double)g * (double)g;
    x[1] = r * r;
    x[2] = (double)p * (double)p;
}
