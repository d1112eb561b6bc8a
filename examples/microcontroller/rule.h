/* rule.h: the rules that the firmware uses. */

#ifndef RULE_H
#define RULE_H

#include <stddef.h>

/* Adam; the last two, 1 - b1^t and 1 - b2^t, are 0 before the first step. */
typedef struct {
    float lr, b1, b2, eps;
    float whole1, whole2;
} adam;

/* Step n parameters p by their gradients g.  m, v: Adam's states, 0 at first. */
void adam_step(adam *a, float *p, const float *g, float *m, float *v, size_t n);
void sgd_step(float lr, float *p, const float *g, size_t n);

#endif
