/* scales/lars.h: LARS (You, Gitman & Ginsburg 2017, eq. 6 and Algorithm 1).
 *
 *     g' = r (g + l2 p),   r = trust |p| / (|g| + l2 |p| + eps)
 *                          r = 1 where |p| |g| = 0
 *
 * with norms of the whole tensor; g' is the input of a momentum rule. */

static void lars(const double *c, const lrc_scale_input *norms, double *state,
                 double *coef)
{
    (void)state;
    const double p = lrc_norm(&norms->pp), g = fabs(coef[0]) * lrc_norm(&norms->xx);
    if (p == 0 || g == 0) return;
    const double r = c[0] * p / (g + coef[1] * p + c[1]);
    coef[0] *= r;
    coef[1] *= r;
}
