/* lrcore_inline.h: each rule as an inline function of floats, without the core's rest.
 *
 * For a microcontroller, or a program that needs one rule and nothing else: no plan, no
 * threads, no double; of the C library at most memcpy() and sqrtf() are called.
 * Include it in one C file.  Functions that the file does not call leave no code.
 *
 *     float *states[] = {m, v};
 *     lrc_inline_adam(p, g, states, n, c);
 *
 * steps n parameters p by their gradients g.  c has the numbers of a group (plan.h):
 * gscale, l2, decay, lr, then the rule's own in the order of rules.def; the rest is not
 * used.  The states are in that order, too.  The arrays do not overlap.
 *
 * The bits are those of lrc_step() with keep_subnormals, if the compiler is told
 * -ffp-contract=off and the processor keeps subnormals. */

#ifndef LRCORE_INLINE_H
#define LRCORE_INLINE_H

#include <string.h>

#include "kernels.h"
#include "portable.h"

#define REAL 32
#include "real.h"
#include "drive.inc"

#define STATE(k, n_state) ((k) < (n_state) ? s[k] : NULL)
#define LRC_RULE(id, name, bound, n_state, states, coefs)                              \
    static inline void lrc_inline_##name(float *p, const float *g, float *const *s,    \
                                         size_t n, const float c[LRC_MAX_COEFS])       \
    {                                                                                  \
        (void)s;                                                                       \
        T(drive)(T(name), T(bound), n_state, LRC_SMALL, c, n, g, p, STATE(0, n_state), \
                 STATE(1, n_state), STATE(2, n_state), STATE(3, n_state), NULL, NULL); \
    }
#include "rules.def"
#undef LRC_RULE
#undef STATE

#undef REAL
#undef real
#undef SQRT
#undef ABS
#undef BITS
#undef T

#endif
