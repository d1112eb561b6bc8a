/* rule.c: the only file that includes the core. */

#include "rule.h"

#include "lrcore_inline.h"

void adam_step(adam *a, float *p, const float *g, float *m, float *v, size_t n)
{
    /* 1 - b^(t+1) = (1 - b) + b (1 - b^t) loses no digits while b^t is near 1. */
    const float w1 = 1 - a->b1, w2 = 1 - a->b2;
    a->whole1 = w1 + a->b1 * a->whole1;
    a->whole2 = w2 + a->b2 * a->whole2;

    /* gscale, l2, decay, lr; then Adam's own: 1-b1, 1-b2, root, r, eps (rules.def). */
    const float r = 1 / sqrtf(a->whole2);
    const float c[LRC_MAX_COEFS] = {1, 0, 1, a->lr / a->whole1, w1, w2, 0, r, a->eps};
    float *const states[] = {m, v};
    lrc_inline_adam(p, g, states, n, c);
}

void sgd_step(float lr, float *p, const float *g, size_t n)
{
    const float c[LRC_MAX_COEFS] = {1, 0, 1, lr};
    lrc_inline_sgd(p, g, NULL, n, c);
}
