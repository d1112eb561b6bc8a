/* world.h: a plan of several tensors, and checks of what it does; for C tests.
 *
 * A program prints a line for each check that does not hold, and "done" if all do. */

#ifndef LRC_TESTS_WORLD_H
#define LRC_TESTS_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

static int failures;

static inline void check(int holds, const char *file, int line, const char *what)
{
    if (holds) return;
    printf("%s:%d: %s\n", file, line, what);
    failures++;
}
#define CHECK(condition) check((condition), __FILE__, __LINE__, #condition)

static inline int checked(void)
{
    if (failures == 0) printf("done\n");
    return failures > 0;
}

enum { MOST = 3, WORK = 1 << 16 };

/* A plan, and all that it points to: states begin as 0, the rest as little numbers. */
typedef struct {
    lrc_plan plan;
    lrc_tensor tensor[MOST];
    lrc_group group;
    lrc_report report[MOST];
    double sums[MOST][LRC_MAX_SUMS];
    lrc_side side[2];
    double work[WORK];
    double *memory; /* p, g, u, acc, two states and an average of each tensor */
    size_t bytes;
} world;

enum { P, G, U, ACC, S0, S1, AVERAGE, ARRAYS };

static inline double *array(const world *w, int tensor, int which)
{
    size_t at = 0;
    for (int i = 0; i < tensor; i++) at += ARRAYS * w->tensor[i].n;
    return w->memory + at + (size_t)which * w->tensor[tensor].n;
}

static inline void begin(world *w)
{
    const size_t bytes = lrc_plan_tensors(&w->plan);
    w->plan.work = bytes <= sizeof w->work ? w->work : NULL;
    CHECK(w->plan.work != NULL);
}

/* Tensors of so many doubles, in a group of plain descent by 0.5 times the gradient. */
static inline world *build(int count, const size_t *n)
{
    world *w = (world *)calloc(1, sizeof *w);
    size_t total = 0;
    w->plan.tensor = w->tensor;
    w->plan.n_tensors = (size_t)count;
    w->plan.group = &w->group;
    w->plan.n_groups = 1;
    for (int i = 0; i < count; i++) {
        w->tensor[i].n = n[i];
        total += ARRAYS * n[i];
    }
    w->bytes = total * sizeof(double);
    w->memory = (double *)calloc(total + 1, sizeof(double));
    for (int i = 0; i < count; i++) {
        lrc_tensor *t = w->tensor + i;
        for (size_t k = 0; k < n[i]; k++) {
            array(w, i, P)[k] = 1 + (double)(k % 5);
            array(w, i, G)[k] = k % 11 == 10 ? 1e-310 : (double)(k % 7) - 2.5;
        }
        t->dtype = LRC_F64;
        t->p = array(w, i, P);
        t->g = array(w, i, G);
        t->u = array(w, i, U);
        t->acc = array(w, i, ACC);
        t->s[0] = array(w, i, S0);
        t->s[1] = array(w, i, S1);
    }
    w->group.coef[0] = w->group.coef[2] = 1;
    w->group.coef[3] = 0.5;
    begin(w);
    return w;
}

static inline void end(world *w)
{
    free(w->memory);
    free(w);
}

/* Run a function that is to write nothing to any array but those of u. */
static inline int writes_nothing(world *w, int (*run)(lrc_plan *), int result)
{
    double *before = (double *)malloc(w->bytes + 1);
    int same = 1;
    memcpy(before, w->memory, w->bytes);
    CHECK(run(&w->plan) == result);
    for (int i = 0; i < (int)w->plan.n_tensors; i++)
        memcpy(before + (array(w, i, U) - w->memory), array(w, i, U),
               w->tensor[i].n * sizeof(double));
    same = memcmp(before, w->memory, w->bytes) == 0;
    free(before);
    return same;
}

static const size_t two[] = {2}, four[] = {4}, three_tensors[] = {5003, 1, 4097};

#endif
