/* rules.c: what rules.def, scales.def and gauges.def say, as tables, and the scales'
 * functions. */

#include "kernels.h"

#include <math.h>

#define RULE(name, n_state, states, coefs) {#name, n_state, states, coefs},
const lrc_rule_info lrc_rules[LRC_N_RULES] = {
#include "rules.def"
};
#undef RULE

#define GAUGE(name, n_array, arrays, n_sum, coefs)                                     \
    {#name, n_array, arrays, n_sum, coefs},
const lrc_gauge_info lrc_gauges[LRC_N_GAUGES] = {
    {"", 0, "", 0, ""},
#include "gauges.def"
};
#undef GAUGE

#define SCALE_FILES
#include "scales.def"
#undef SCALE_FILES

#define SCALE(name, emits, n_state, states, coefs)                                     \
    {#name, emits, n_state, states, coefs},
const lrc_scale_info lrc_scales[LRC_N_SCALES] = {
    {"", 0, 0, "", ""},
#include "scales.def"
};
#undef SCALE

#define SCALE(name, emits, n_state, states, coefs) name,
lrc_scale_fn *const lrc_scale_fns[LRC_N_SCALES] = {
    NULL,
#include "scales.def"
};
