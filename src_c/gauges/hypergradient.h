/* gauges/hypergradient.h: the gradient times the direction of the last step, which is
 * the negative derivative of the loss by lr (Baydin et al. 2018).
 *
 *     along_last        g g_old                          (SGD)
 *     along_last_adam   g m / (sqrt(v + root) r + eps)   (Adam)
 *
 * Adam's bias correction 1/(1 - b1^t) is in lr. */

static INLINE void T(along_last)(const real *c, real g, real p, const real *a,
                                 double *x)
{
    (void)c, (void)p;
    x[0] = (double)g * (double)a[0];
}

static INLINE void T(along_last_adam)(const real *c, real g, real p, const real *a,
                                      double *x)
{
    (void)p;
    x[0] = (double)g * (double)(a[0] / (SQRT(a[1] + c[0]) * c[1] + c[2]));
}
