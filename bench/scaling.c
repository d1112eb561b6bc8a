/* scaling.c: how an AdamW step in float32 scales with threads, by the C interface.
 *
 *     cc -O2 -fopenmp -Isrc_c bench/scaling.c build/objects/(all but _core).o -lm
 *
 * Prints JSON: the median time in microseconds for each number of elements and of
 * threads.  Each round times all numbers of threads in turn.  A second series has
 * clip_norm, with which the threads wait for each other in the middle of the step. */

#define _POSIX_C_SOURCE 199309L /* for clock_gettime */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "plan.h"

enum { ROUNDS = 15, MOST = 64 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Microseconds of a step: the mean of 200 short or 5 long ones. */
static double time_step(lrc_plan *plan)
{
    const int calls = plan->total < 1000000 ? 200 : 5;
    for (int i = 0; i < calls / 5 + 1; i++) lrc_step(plan);
    const double began = now();
    for (int i = 0; i < calls; i++) lrc_step(plan);
    return (now() - began) / calls;
}

static void *floats(size_t n, float value)
{
    float *array = malloc(n * sizeof *array);
    for (size_t i = 0; array && i < n; i++) array[i] = value;
    return array;
}

static void scale(size_t n, double clip_norm, int most)
{
    static double times[MOST][ROUNDS];
    lrc_tensor tensor = {.p = floats(n, 1),
                         .g = floats(n, 1e-3f),
                         .s = {floats(n, 0), floats(n, 0)},
                         .n = n};
    lrc_group group = {.rule = LRC_adam,
                       .coef = {1, 0, 1 - 1e-5, 1e-3, 0.1, 1e-3, 0, 1, 1e-8}};
    lrc_plan plan = {.tensor = &tensor,
                     .n_tensors = 1,
                     .group = &group,
                     .n_groups = 1,
                     .clip_norm = clip_norm,
                     .parallel_from = 1};
    plan.work = malloc(lrc_plan_tensors(&plan));

    for (int round = 0; round < ROUNDS; round++)
        for (int k = 1; k <= most; k++) {
            plan.num_threads = k;
            times[k - 1][round] = time_step(&plan);
        }
    for (int k = 1; k <= most; k++) {
        qsort(times[k - 1], ROUNDS, sizeof(double), by_value);
        printf(
            "{\"elements\": %zu, \"clip_norm\": %d, \"threads\": %d, \"us\": %.2f}\n",
            n, clip_norm != 0, k, times[k - 1][ROUNDS / 2]);
    }
    free(tensor.p), free(tensor.g), free(tensor.s[0]), free(tensor.s[1]),
        free(plan.work);
}

int main(int argc, char **argv)
{
    const int threads = argc > 1 ? atoi(argv[1]) : lrc_num_threads();
    const int most = threads < MOST ? threads : MOST;
    const size_t sizes[] = {10000, 100000, 1000000, 10000000, 30000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        scale(sizes[i], 0, most);
        scale(sizes[i], 1, most);
    }
    return 0;
}
