/* rules.c: rules.def and gauges.def as tables, and lrcore.h's functions for rules. */

#include <string.h>

#include "setup.h"

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

/* --- lrcore.h --------------------------------------------------------------------- */

static int is_rule(int rule) { return rule >= 0 && rule < LRC_N_RULES; }

int lrc_rule_count(void) { return LRC_N_RULES; }

int lrc_rule_id(const char *name)
{
    for (int i = 0; name && i < LRC_N_RULES; i++)
        if (strcmp(name, lrc_rules[i].name) == 0) return i;
    return LRC_BAD_ARGUMENT;
}

const char *lrc_rule_name(int rule)
{
    return is_rule(rule) ? lrc_rules[rule].name : NULL;
}

int lrc_rule_n_states(int rule)
{
    return is_rule(rule) ? lrc_rules[rule].n_state : LRC_BAD_ARGUMENT;
}

const char *lrc_rule_states(int rule)
{
    return is_rule(rule) ? lrc_rules[rule].states : NULL;
}

const char *lrc_rule_coefs(int rule)
{
    return is_rule(rule) ? lrc_rules[rule].coefs : NULL;
}

const char *lrc_rule_hyper(int rule, int i)
{
    if (!is_rule(rule) || i < 0) return NULL;
    const lrc_named *hyper = lrc_hyper_of((lrc_rule)rule, i);
    return hyper ? hyper->name : NULL;
}

int lrc_version(void) { return LRC_VERSION; }
