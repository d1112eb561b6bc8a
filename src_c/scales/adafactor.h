/* scales/adafactor.h: Adafactor (Shazeer & Stern 2018, Algorithms 4 and 6).
 *
 *     lr = rho max(least, |after| RMS(p)) / max(1, RMS(u) / most)
 *
 * with the root mean squares of the whole tensor: a step relative to p, its update u
 * clipped.  after = 1, or p's decay where RMS(p) is taken after it. */

static void adafactor(const double *c, const lrc_norms *norms, double *state,
                      double *coef)
{
    (void)state;
    const double p = fabs(c[2]) * root_mean(&norms->pp, norms->n);
    const double u = root_mean(&norms->xx, norms->n) / c[1];
    coef[3] *= (p > c[0] ? p : c[0]) / (u > 1 ? u : 1);
}
