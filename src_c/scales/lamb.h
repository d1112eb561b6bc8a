/* scales/lamb.h: LAMB (You et al. 2020, Algorithm 2).
 *
 *     p = decay p - lr r u,   r = min(|p| / |f u|, most);   r = 1 where |p| |u| = 0
 *
 * where u is the emitted direction, weight decay included, and f the bias correction,
 * which lr carries instead of u.  Norms are of the whole tensor, and |p| is that after
 * decay. */

static void lamb(const double *c, const lrc_scale_input *norms, double *state,
                 double *coef)
{
    (void)state;
    const double p = fabs(c[0]) * lrc_norm(&norms->pp), u = c[2] * lrc_norm(&norms->xx);
    if (p != 0 && u != 0) {
        const double r = p / u;
        coef[3] *= r > c[1] ? c[1] : r;
    }
    coef[0] = 1;
    coef[1] = 0;
    coef[2] = c[0];
}
