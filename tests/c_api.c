/* c_api.c: any functions of lrcore.h in any order, with any arguments, right and wrong.
 *
 *     c_api SEED TIMES
 *
 * Built with sanitizers, it shows that no call reads or writes out of bounds.  It
 * prints how many calls failed, and ends with 1 if a failed call has changed an array
 * or has no text. */

#include "lrcore.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARRAYS = 12, N = 40, CALLS = 60 };

static double memory[ARRAYS][N], before[ARRAYS][N];
static unsigned state;
static long left; /* how many times there still is memory; below 0: always */

static unsigned below(unsigned n)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

static void *resize(void *context, void *old, size_t had, size_t bytes)
{
    (void)context;
    if (!bytes) {
        free(old);
        return NULL;
    }
    if (left == 0) return NULL;
    left--;
    /* another place each time, so that an old address cannot be used unseen */
    void *moved = malloc(bytes);
    if (moved && old) memcpy(moved, old, had < bytes ? had : bytes);
    if (moved) free(old);
    return moved;
}

static const char *any_name(void)
{
    static const char *const names[] = {"lr",
                                        "beta1",
                                        "eps",
                                        "momentum",
                                        "l2",
                                        "maximize",
                                        "1-b1",
                                        "mu",
                                        "r",
                                        "decay",
                                        "clip_value",
                                        "average",
                                        "clip_norm",
                                        "zero_grads",
                                        "report",
                                        "num_threads",
                                        "",
                                        "parallel_from",
                                        "skip_nonfinite",
                                        "ema_decay",
                                        ", ",
                                        "1-b1, 1-b2",
                                        NULL};
    return names[below(sizeof names / sizeof *names)];
}

static double any_number(void)
{
    static const double numbers[] = {0,      1,    0.5,      -1,  2,    3,  1e308,
                                     1e-310, 1e10, INFINITY, NAN, -0.0, 0.9};
    return numbers[below(sizeof numbers / sizeof *numbers)];
}

static void *any_array(void)
{
    const unsigned k = below(ARRAYS + 2);
    if (k == ARRAYS) return NULL;
    return k > ARRAYS ? (void *)((char *)memory[0] + 1) : (void *)memory[k];
}

static int add_tensor(lrc_plan *plan)
{
    void *states[4] = {any_array(), any_array(), any_array(), any_array()};
    const size_t n = below(9) ? below(N + 1) : (size_t)-1 / (1 + below(20));
    return lrc_plan_add_tensor(plan, (int)below(4) - 1, (int)below(4) - 1, n,
                               any_array(), any_array(), below(9) ? states : NULL,
                               (int)below(6) - 1);
}

static int call(lrc_plan *plan)
{
    const int number = (int)below(4) - 1;
    double value;
    lrc_norms norms;
    switch (below(16)) {
    case 0:
        return lrc_plan_add_group(plan, (int)below((unsigned)lrc_rule_count() + 2) - 1);
    case 1:
    case 2:
    case 3:
        return add_tensor(plan);
    case 4:
        return lrc_plan_set_gradient(plan, number, any_array());
    case 5:
        return lrc_plan_set_average(plan, number, any_array());
    case 6:
        return lrc_plan_set_hyper(plan, number, any_name(), any_number());
    case 7:
        return lrc_plan_get_hyper(plan, number, any_name(), below(2) ? &value : NULL);
    case 8:
        return lrc_plan_set_coef(plan, number, any_name(), any_number());
    case 9:
        return lrc_plan_get_coef(plan, number, any_name(), below(2) ? &value : NULL);
    case 10:
        return lrc_plan_set_option(plan, any_name(), any_number());
    case 11:
        return lrc_plan_get_option(plan, any_name(), below(2) ? &value : NULL);
    case 12:
        return lrc_plan_set_steps(plan, (uint64_t)1 << below(64));
    case 13:
        return lrc_plan_norms(plan, number, below(9) ? &norms : NULL);
    case 14:
        return lrc_plan_measure(plan);
    default:
        return lrc_plan_step(plan);
    }
}

int main(int argc, char **argv)
{
    const int times = argc > 2 ? atoi(argv[2]) : 100;
    int failed = 0, taken = 0;
    state = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
    for (int k = 0; k < ARRAYS; k++)
        for (int i = 0; i < N; i++) memory[k][i] = 1;
    for (int time = 0; time < times; time++) {
        lrc_plan *plan;
        const lrc_allocator by = {resize, NULL};
        left = below(3) ? -1 : (long)below(12);
        if (lrc_plan_create(&plan, &by) < 0) continue;
        for (int k = 0; k < CALLS; k++) {
            memcpy(before, memory, sizeof memory);
            const int result = call(plan);
            taken += result == LRC_TAKEN;
            if (result >= 0) continue;
            failed++;
            if (memcmp(before, memory, sizeof memory) || !*lrc_plan_error(plan))
                return 1;
        }
        lrc_plan_destroy(plan);
    }
    printf("%d failed, %d taken\n", failed, taken);
    return 0;
}
