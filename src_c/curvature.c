/* curvature.c: lrc_sum_changes(), what has changed since the last step, for the
 * curvature of the loss along it. */

#include <string.h>

#include "plan.h"

enum { LANES = 8 }; /* sums of each kind, so that a processor can add several at once */

#define real    float
#define T(name) name##_f32
#include "curvature.inc"
#undef real
#undef T

#define real    double
#define T(name) name##_f64
#include "curvature.inc"

void lrc_sum_changes(const lrc_tensor *t, const void *acc, double scale, void *last_p,
                     void *last_g, double *sums)
{
    if (t->dtype == LRC_F32)
        strips_f32(t, acc, scale, last_p, last_g, sums);
    else
        strips_f64(t, acc, scale, last_p, last_g, sums);
}
