/* gauges/mechanic.h: what Mechanic (Cutkosky, Defazio & Mehta 2023, Algorithm 1) weighs its
 * way by: g d, g^2, p^2 and p d, for d = (p0 - p) / s, the way that was gone. */

static INLINE void T(along_delta)(const real *c, real g, real p, const real *a,
                                  double *x)
{
    const double wide = g, along = a[0], where = p;
    (void)c;
    x[0] = wide * along;
    x[1] = wide * wide;
    x[2] = where * where;
    x[3] = where * along;
}
