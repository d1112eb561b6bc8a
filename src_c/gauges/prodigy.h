/* gauges/prodigy.h: the sums from which Prodigy and D-Adaptation estimate the distance
 * to the solution: g along the path so far, and the size of s after this step.
 *
 *     along_way    g (p0 - p),                  |b3 s + w g|     (Prodigy)
 *     along_adam   g s / (sqrt(v) + eps),       |b3 s + w g|     (D-Adaptation of Adam)
 *     along_sum    g s,   (s + w g)^2,   g^2                     (D-Adaptation of SGD)
 *
 * The first two bound g as their rule does: see bounds.inc. */

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
