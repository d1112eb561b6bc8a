/* bits.c: one line a rule, dtype, form and instruction set, with a hash of all bits
 * that steps from fixed inputs leave behind; then a line for each scale, gauge and
 * factoring.  The lines must be the same on every machine.  Each tensor has averages:
 * one that pulls, and one that does not.  Uses the C interface alone. */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "plan.h"

enum { N = 5003, STEPS = 3 };

static double work[1 << 16]; /* of each plan in turn */

/* Number a plan's tensors and give it work. */
static void begin(lrc_plan *plan)
{
    const size_t bytes = lrc_plan_tensors(plan);
    plan->work = bytes <= sizeof work ? work : NULL;
}

static uint64_t random_state;
static int tame; /* whether all are near 1: a norm of any bit patterns is infinite */

static uint64_t random_bits(void) /* splitmix64 */
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Half of them near 1, the other half of any bit pattern: inf, NaN, subnormal, ... */
static double random_f64(void)
{
    uint64_t bits = random_bits();
    if (tame || bits & 1) bits = (bits & 0x800fffffffffffffu) | 0x3ff0000000000000u;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float random_f32(void)
{
    uint32_t bits = (uint32_t)(random_bits() >> 32);
    if (tame || bits & 1) bits = (bits & 0x807fffffu) | 0x3f800000u;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint64_t bits_of(const void *a, lrc_dtype dtype, size_t i)
{
    if (dtype == LRC_F32) {
        uint32_t bits;
        memcpy(&bits, (const float *)a + i, sizeof bits);
        return isnan(((const float *)a)[i]) ? 1 : bits;
    }
    uint64_t bits;
    memcpy(&bits, (const double *)a + i, sizeof bits);
    return isnan(((const double *)a)[i]) ? 1 : bits;
}

static void fill(double *array, lrc_dtype dtype, size_t n, int positive)
{
    for (size_t i = 0; i < n; i++)
        if (dtype == LRC_F32) {
            const float x = random_f32();
            ((float *)array)[i] = positive ? fabsf(x) : x;
        } else {
            const double x = random_f64();
            array[i] = positive ? fabs(x) : x;
        }
}

static uint64_t hash_of_steps(lrc_rule rule, lrc_dtype dtype, int form, lrc_scale scale)
{
    enum { ARRAYS = 5 + LRC_MAX_STATES };
    static double memory[ARRAYS][N];
    double scale_state = 0.5;
    static const double drivers[3][4] = {
        {1, 0, 1, 0.01}, {-0.75, 0, 0.99, 0.01}, {0.5, 0.125, 0.99, 0.01}};

    random_state = 1;
    tame = scale != LRC_NO_SCALE;
    for (int k = 0; k < ARRAYS; k++) fill(memory[k], dtype, N, 0);

    lrc_tensor tensor = {.p = memory[0], .g = memory[1], .n = N, .dtype = dtype};
    for (int k = 0; k < lrc_rules[rule].n_state; k++) tensor.s[k] = memory[5 + k];
    tensor.a[0] = memory[2], tensor.a[1] = memory[3];
    tensor.u = memory[4], tensor.scale_state = &scale_state;
    lrc_group group = {.rule = rule, .scale = scale};
    group.average[0] = (lrc_average){.weight = 0.25};
    group.average[1] = (lrc_average){.weight = 0.5, .pulls = 1};
    for (int k = 0; k < LRC_MAX_SCALE_COEFS; k++) group.scale_coef[k] = 0.5 + 0.25 * k;
    for (int k = 0; k < LRC_MAX_COEFS; k++)
        group.coef[k] = k < 4 ? drivers[form][k] : 0.125 * k;
    lrc_plan plan = {.tensor = &tensor,
                     .n_tensors = 1,
                     .group = &group,
                     .n_groups = 1,
                     .grad_scale = 1,
                     .num_threads = 2,
                     .keep_subnormals = 1,
                     .parallel_from = 1};
    begin(&plan);
    for (int t = 0; t < STEPS; t++) lrc_step(&plan);
    if (tensor.g != memory[1] || group.coef[3] != drivers[form][3])
        return 0; /* what is the caller's was written to */

    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a over words */
    for (int k = 0; k < ARRAYS; k++)
        for (size_t i = 0; i < N; i++)
            hash = (hash ^ bits_of(memory[k], dtype, i)) * 0x100000001b3u;
    return hash;
}

/* A scaled step of two matrices, or of an array of 3 dimensions, and their sides; if
 * `wide` is set, with rows that are longer than a strip. */
static uint64_t hash_of_factored(lrc_dtype dtype, lrc_factoring factoring, int wide)
{
    enum { MATRICES = 2, ROWS = 140, COLS = 62, ALL = MATRICES * ROWS * COLS };
    enum { FEW_ROWS = 4, MANY_COLS = COLS * ROWS / FEW_ROWS };
    const size_t rows = wide ? FEW_ROWS : ROWS, cols = wide ? MANY_COLS : COLS;
    static double memory[5][ALL];
    const int product = factoring == LRC_PRODUCT;
    const lrc_side sides[] = {
        {memory[2], MATRICES}, {memory[3], rows}, {memory[4], cols}};

    random_state = 1;
    tame = 1;
    for (int k = 0; k < 5; k++) fill(memory[k], dtype, ALL, k >= 2);

    lrc_tensor tensor = {.p = memory[0], .g = memory[1], .n = ALL, .dtype = dtype};
    tensor.factors = (lrc_factors){sides + product, 3 - (size_t)product};
    lrc_group group = {
        .rule = LRC_sgd, .scale = LRC_SCALE_adafactor, .factoring = factoring};
    const double coefs[] = {1, 0, 0.99, 0.01}, scale_coefs[] = {1e-3, 0.75, 0.99};
    const double factor_coefs[] = {0.75, 1.2, 0};
    memcpy(group.coef, coefs, sizeof coefs);
    memcpy(group.scale_coef, scale_coefs, sizeof scale_coefs);
    memcpy(group.factor_coef, factor_coefs, sizeof factor_coefs);
    lrc_plan plan = {.tensor = &tensor,
                     .n_tensors = 1,
                     .group = &group,
                     .n_groups = 1,
                     .grad_scale = 1,
                     .num_threads = 2,
                     .keep_subnormals = 1,
                     .parallel_from = 1};
    begin(&plan);
    for (int t = 0; t < STEPS; t++) lrc_step(&plan);

    uint64_t hash = 0xcbf29ce484222325u;
    for (int k = 0; k < 5; k++)
        for (size_t i = 0; i < ALL; i++)
            hash = (hash ^ bits_of(memory[k], dtype, i)) * 0x100000001b3u;
    return hash;
}

/* Two tensors of 12 by 62 by 7, gathered, clipped in each way, reported. */
static uint64_t hash_of_treated(lrc_dtype dtype, int inner)
{
    enum { ALL = 12 * 62 * 7, UNITS = 12 * 62 };
    static double memory[2][5][ALL];
    lrc_tensor tensor[2] = {{0}};
    lrc_group group[2] = {{0}};
    lrc_report report[2] = {{.nonfinite = 0}};
    const double coefs[] = {-1, 0.125, 0.99, 0.01, 0.1, 0.001, 0, 1, 1e-8};

    random_state = 1;
    tame = 1;
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 5; k++) fill(memory[i][k], dtype, ALL, 1);
        tensor[i] = (lrc_tensor){.p = memory[i][0],
                                 .g = memory[i][1],
                                 .acc = memory[i][2],
                                 .s = {memory[i][3], memory[i][4]},
                                 .n = ALL,
                                 .dtype = dtype,
                                 .group = (unsigned)i};
        tensor[i].units = (lrc_units){.outer = inner > 1 ? 1 : UNITS,
                                      .reduced = inner > 1 ? 12 : 7,
                                      .inner = inner > 1 ? 62 * 7 : 1};
        group[i] = (lrc_group){.rule = LRC_adam, .agc = 0.25, .agc_eps = 1e-3};
        group[i].clip_value = i ? 2 : 0;
        group[i].clip_norm = i ? 0 : 30;
        memcpy(group[i].coef, coefs, sizeof coefs);
    }
    lrc_plan plan = {.tensor = tensor,
                     .n_tensors = 2,
                     .group = group,
                     .n_groups = 2,
                     .report = report,
                     .grad_scale = 0.375,
                     .clip_norm = 2,
                     .skip_nonfinite = 1,
                     .gathered = 1,
                     .num_threads = 2,
                     .keep_subnormals = 1,
                     .parallel_from = 1};
    begin(&plan);
    lrc_gather(&plan, 0);
    if (lrc_step(&plan) != LRC_TAKEN) return 0;

    uint64_t hash = 0xcbf29ce484222325u;
    for (int i = 0; i < 2; i++) {
        for (size_t j = 0; j < ALL; j++)
            hash = (hash ^ bits_of(memory[i][0], dtype, j)) * 0x100000001b3u;
        const double sums[] = {report[i].g.mid, report[i].clipped.mid, report[i].p.mid,
                               report[i].u.mid};
        for (size_t j = 0; j < 4; j++)
            hash = (hash ^ bits_of(sums, LRC_F64, j)) * 0x100000001b3u;
    }
    return hash;
}

/* The sums of a gauge over two tensors. */
static uint64_t hash_of_gauge(lrc_gauge gauge, lrc_dtype dtype)
{
    enum { ARRAYS = 2 + LRC_MAX_GAUGED };
    static double memory[2][ARRAYS][N];
    double sums[2 * LRC_MAX_SUMS] = {0};
    lrc_tensor tensor[2] = {{0}};
    lrc_group group = {
        .coef = {-1, 0.125}, .gauge = gauge, .gauge_coef = {0.5, 0.25, 1}};

    random_state = 1;
    tame = 1;
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < ARRAYS; k++) fill(memory[i][k], dtype, N, k >= 2);
        tensor[i] = (lrc_tensor){.p = memory[i][0],
                                 .g = memory[i][1],
                                 .gauged = {memory[i][2], memory[i][3]},
                                 .n = N,
                                 .dtype = dtype};
    }
    lrc_plan plan = {.tensor = tensor,
                     .n_tensors = 2,
                     .group = &group,
                     .n_groups = 1,
                     .gauge_sums = sums,
                     .num_threads = 2,
                     .keep_subnormals = 1,
                     .parallel_from = 1};
    begin(&plan);
    if (lrc_measure(&plan) != LRC_TAKEN) return 0;

    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < 2 * LRC_MAX_SUMS; i++)
        hash = (hash ^ bits_of(sums, LRC_F64, i)) * 0x100000001b3u;
    return hash;
}

int main(void)
{
    for (size_t i = 0; i < lrc_isa_count(); i++) {
        if (!lrc_isa_runs(i)) continue;
        lrc_set_isa(lrc_isa_name(i));
        for (int rule = 0; rule < LRC_N_RULES; rule++)
            for (int dtype = 0; dtype < LRC_N_DTYPES; dtype++)
                for (int form = 0; form < 3; form++)
                    printf("%s %s f%d form %d: %016llx\n", lrc_isa(),
                           lrc_rules[rule].name, dtype ? 64 : 32, form,
                           (unsigned long long)hash_of_steps(
                               (lrc_rule)rule, (lrc_dtype)dtype, form, LRC_NO_SCALE));
        for (int scale = LRC_NO_SCALE + 1; scale < LRC_N_SCALES; scale++)
            for (int dtype = 0; dtype < LRC_N_DTYPES; dtype++)
                printf("%s %s f%d: %016llx\n", lrc_isa(), lrc_scales[scale].name,
                       dtype ? 64 : 32,
                       (unsigned long long)hash_of_steps(LRC_adam, (lrc_dtype)dtype, 2,
                                                         (lrc_scale)scale));
        for (int gauge = LRC_NO_GAUGE + 1; gauge < LRC_N_GAUGES; gauge++)
            for (int dtype = 0; dtype < LRC_N_DTYPES; dtype++)
                printf("%s %s f%d: %016llx\n", lrc_isa(), lrc_gauges[gauge].name,
                       dtype ? 64 : 32,
                       (unsigned long long)hash_of_gauge((lrc_gauge)gauge,
                                                         (lrc_dtype)dtype));
        for (int inner = 1; inner <= 2; inner++)
            for (int dtype = 0; dtype < LRC_N_DTYPES; dtype++)
                printf("%s treated %d f%d: %016llx\n", lrc_isa(), inner,
                       dtype ? 64 : 32,
                       (unsigned long long)hash_of_treated((lrc_dtype)dtype, inner));
        for (int kind = LRC_PRODUCT; kind <= LRC_LEAST; kind++)
            for (int dtype = 0; dtype < LRC_N_DTYPES; dtype++)
                for (int wide = 0; wide < 2; wide++)
                    printf("%s factoring %d f%d %s: %016llx\n", lrc_isa(), kind,
                           dtype ? 64 : 32, wide ? "wide" : "narrow",
                           (unsigned long long)hash_of_factored(
                               (lrc_dtype)dtype, (lrc_factoring)kind, wide));
    }
    return 0;
}
