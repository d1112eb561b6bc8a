/* gauges/mechanic.h: the gauge of Mechanic (Cutkosky, Defazio & Mehta 2023, Algorithm
 * 1): g d, g^2, p^2 and p d, where d = (p0 - p) / s is the sum of the rule's steps. */

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
