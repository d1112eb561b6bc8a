/* rules.c: what rules.def says, as a table. */

#include "lrcore.h"

#define RULE(name, n_state, states, coefs) {#name, n_state, states, coefs},
const lrc_rule_info lrc_rules[LRC_N_RULES] = {
#include "rules.def"
};
