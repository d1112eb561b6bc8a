/* gauges/prodigy.h: what Prodigy and D-Adaptation estimate the distance to go from: g
 * along the way that was gone, and the size of the sum s as it will be after g.
 *
 *     along_way    g (p0 - p),                  |b3 s + w g|     (Prodigy)
 *     along_adam   g s / (sqrt(v) + eps),       |b3 s + w g|     (D-Adaptation of Adam)
 *     along_sum    g s,   (s + w g)^2,   g^2                     (D-Adaptation of SGD)
 *
 * The rule of the first two takes g as squarable at most, and so do these. */

static INLINE void T(along_way)(const real *c, real g, real p, const real *a, double *x)
{
    g = T(squarable)(g);
    x[0] = (double)g * ((double)a[0] - (double)p);
    x[1] = (double)ABS(c[0] * a[1] + c[1] * g);
}

static INLINE void T(along_adam)(const real *c, real g, real p, const real *a,
                                 double *x)
{
    (void)p;
    g = T(squarable)(g);
    x[0] = (double)g * (double)(a[1] / (SQRT(a[0]) + c[2]));
    x[1] = (double)ABS(c[0] * a[1] + c[1] * g);
}

static INLINE void T(along_sum)(const real *c, real g, real p, const real *a, double *x)
{
    const double s = (double)(a[0] + c[0] * g);
    (void)p;
    x[0] = (double)g * (double)a[0];
    x[1] = s * s;
    x[2] = (double)g * (double)g;
}
