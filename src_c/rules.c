/* rules.c: rules.def and gauges.def as tables. */

#include "lrcore.h"

#define LRC_RULE(id, name, bound, n_state, states, coefs)                              \
    _Static_assert(n_state <= LRC_MAX_STATES, #name " has too many states");
#include "rules.def"
#undef LRC_RULE

#define LRC_RULE(id, name, bound, n_state, states, coefs)                              \
    [id] = {#name, n_state, states, coefs},
const lrc_rule_info lrc_rules[LRC_N_RULES] = {
#include "rules.def"
};

#define LRC_GAUGE(id, name, n_array, arrays, n_sum, coefs)                             \
    _Static_assert(n_array <= LRC_MAX_GAUGED, #name " reads too many arrays");         \
    _Static_assert(n_sum <= LRC_MAX_SUMS, #name " has too many sums");
#include "gauges.def"
#undef LRC_GAUGE

#define LRC_GAUGE(id, name, n_array, arrays, n_sum, coefs)                             \
    [id] = {#name, n_array, arrays, n_sum, coefs},
const lrc_gauge_info lrc_gauges[LRC_N_GAUGES] = {
    [LRC_NO_GAUGE] = {"", 0, "", 0, ""},
#include "gauges.def"
};
