/* kernels.c: all kernels of one instruction set and one dtype.
 *
 * It is compiled once for each pair of these, with the compiler flags of the
 * instruction set and with
 *
 *     REAL    32 or 64: the bits of the dtype
 *     TABLE   the name of the exported table as in cpu.c, such as lrc_avx2_f32 */

#include "kernels.h"

#include <string.h>

#include "portable.h"

#include "real.h"
#include "sums.inc"
#include "drive.inc"
#include "forms.inc"
#include "stages.inc"
#include "factors.inc"
#include "gauge.inc"
#include "traffic.inc"

#define LRC_RULE(id, name, bound, n_state, states, coefs)                              \
    [id] = {T(name##_plain), T(name##_scaled), T(name##_coupled), T(name##_emitted),   \
            T(name##_measured)},
#define LRC_GAUGE(id, name, n_array, arrays, n_sum, coefs) [id] = T(name##_gauge),
extern const lrc_table TABLE;
const lrc_table TABLE = {
    .kernel =
        {
#include "rules.def"
        },
    .gauge =
        {
#include "gauges.def"
        },
    .mechanic_begin = T(mechanic_begin),
    .mechanic = T(mechanic),
    .average = T(average),
    .sum = T(sum),
    .clamp = T(clamp),
    .multiply = T(multiply),
    .multiply_units = T(multiply_units),
    .squares = T(squares),
    .add_squares = T(add_squares),
    .nonfinite = T(nonfinite),
    .unfactor_product = T(unfactor_product),
    .unfactor_least = T(unfactor_least),
    .whole = T(whole),
    .sum_lines = T(sum_lines),
    .larger = T(larger_of),
    .traffic = traffic,
};
