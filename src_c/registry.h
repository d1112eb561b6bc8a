/* registry.h: the lists rules.def, scales.def and gauges.def as enums and tables; a
 * part of plan.h, which includes it. */

#ifndef LRC_REGISTRY_H
#define LRC_REGISTRY_H

/* A number in these lists is part of the interface: it never changes its meaning. */
#define LRC_RULE(id, name, bound, n_state, states, coefs) LRC_##name = id,
typedef enum {
#include "rules.def"
    LRC_N_RULES
} lrc_rule;
#undef LRC_RULE

#define LRC_SCALE(id, name, emits, n_state, states, coefs) LRC_SCALE_##name = id,
typedef enum {
    LRC_NO_SCALE,
#include "scales.def"
    LRC_N_SCALES
} lrc_scale;
#undef LRC_SCALE

#define LRC_GAUGE(id, name, n_array, arrays, n_sum, coefs) LRC_GAUGE_##name = id,
typedef enum {
    LRC_NO_GAUGE,
#include "gauges.def"
    LRC_N_GAUGES
} lrc_gauge;
#undef LRC_GAUGE

/* The lines of rules.def. */
typedef struct {
    const char *name;
    int n_state;
    const char *states, *coefs; /* comma-separated; "v >= 0" is v, never negative */
} lrc_rule_info;
extern const lrc_rule_info lrc_rules[LRC_N_RULES];

/* The lines of scales.def; that of LRC_NO_SCALE is empty. */
typedef struct {
    const char *name;
    int emits;   /* whether it scales the rule's direction u instead of the gradient */
    int n_state; /* doubles for each tensor */
    const char *states, *coefs;
} lrc_scale_info;
extern const lrc_scale_info lrc_scales[LRC_N_SCALES];

/* The lines of gauges.def; that of LRC_NO_GAUGE is empty. */
typedef struct {
    const char *name;
    int n_array;
    const char *arrays;
    int n_sum;
    const char *coefs;
} lrc_gauge_info;
extern const lrc_gauge_info lrc_gauges[LRC_N_GAUGES];

#endif
