/* kernels.c: every kernel, for the instruction set that the compiler is told to use.
 *
 * Compiled once per instruction set, with TABLE the name of the table to export and ISA
 * its instruction set's name. */

#include "kernels.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "portable.h"

#define real    float
#define SQRT    sqrtf
#define ABS     fabsf
#define BITS    uint32_t
#define T(name) name##_f32
#include "sums.inc"
#include "drive.inc"
#include "stages.inc"
#include "gauge.inc"
#undef real
#undef SQRT
#undef ABS
#undef BITS
#undef T

#define real    double
#define SQRT    sqrt
#define ABS     fabs
#define BITS    uint64_t
#define T(name) name##_f64
#include "sums.inc"
#include "drive.inc"
#include "stages.inc"
#include "gauge.inc"
#undef real
#undef SQRT
#undef ABS
#undef BITS
#undef T

#include "traffic.inc"

#define RULE(name, n_state, states, coefs)                                             \
    {{name##_plain_f32, name##_scaled_f32, name##_coupled_f32, name##_emitted_f32,     \
      name##_measured_f32},                                                            \
     {name##_plain_f64, name##_scaled_f64, name##_coupled_f64, name##_emitted_f64,     \
      name##_measured_f64}},
#define GAUGE(name, n_array, arrays, n_sum, coefs) {name##_gauge_f32, name##_gauge_f64},
extern const lrc_table TABLE;
const lrc_table TABLE = {
    .isa = ISA,
    .kernel =
        {
#include "rules.def"
        },
    .gauge =
        {
            {NULL, NULL},
#include "gauges.def"
        },
    .mechanic_begin = {mechanic_begin_f32, mechanic_begin_f64},
    .mechanic = {mechanic_f32, mechanic_f64},
    .average = {average_f32, average_f64},
    .sum = {sum_f32, sum_f64},
    .clamp = {clamp_f32, clamp_f64},
    .multiply = {multiply_f32, multiply_f64},
    .multiply_units = {multiply_units_f32, multiply_units_f64},
    .squares = {squares_f32, squares_f64},
    .add_squares = {add_squares_f32, add_squares_f64},
    .nonfinite = {nonfinite_f32, nonfinite_f64},
    .unfactor = {unfactor_f32, unfactor_f64},
    .row_most = {row_most_f32, row_most_f64},
    .col_stat = {col_stat_f32, col_stat_f64},
    .traffic = traffic,
};
