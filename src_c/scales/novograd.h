/* scales/novograd.h: NovoGrad (Ginsburg et al. 2019, Algorithm 1).
 *
 *     norm2 += w (|g|^2 - norm2);   g' = g / (sqrt(norm2) + eps) + l2 p
 *
 * with one norm2 for each tensor, in double; g' is the input of a momentum rule.  w = 1
 * in the first step. */

static void novograd(const double *c, const lrc_scale_input *norms, double *state,
                     double *coef)
{
    *state += c[0] * (within_double(coef[0], &norms->xx) - *state);
    coef[0] /= sqrt(*state) + c[1];
}
