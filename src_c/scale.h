/* scale.h: the norms from which a scale changes a tensor's numbers. */

#ifndef LRC_SCALE_H
#define LRC_SCALE_H

#include "squares.h"

typedef struct {
    lrc_squares xx; /* sum of squares of the gradient, or of u where the scale emits */
    lrc_squares pp; /* sum of squares of p */
    double n;       /* number of elements */
} lrc_scale_input;

#endif
