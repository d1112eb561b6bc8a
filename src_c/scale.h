/* scale.h: what a scale is told of a tensor. */

#ifndef LRC_SCALE_H
#define LRC_SCALE_H

#include "squares.h"

/* Sums of squares, of what it scales and of p, and the number of elements. */
typedef struct {
    lrc_squares xx, pp;
    double n;
} lrc_norms;

#endif
