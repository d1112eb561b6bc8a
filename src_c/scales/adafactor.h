/* scales/adafactor.h: Adafactor (Shazeer & Stern 2018, Algorithms 4 and 6).
 *
 *     lr = rho max(least, |after| RMS(p)) / max(1, RMS(u) / most)
 *
 * where RMS is the root mean square over the tensor: the step is relative to p, and the
 * update u is clipped.  after = 1, or the weight decay factor if RMS(p) is that of the
 * decayed p. */

static void adafactor(const double *c, const lrc_scale_input *norms, double *state,
                      double *coef)
{
    (void)state;
    const double p = fabs(c[2]) * root_mean(&norms->pp, norms->n);
    const double u = root_mean(&norms->xx, norms->n) / c[1];
    coef[3] *= (p > c[0] ? p : c[0]) / (u > 1 ? u : 1);
}
