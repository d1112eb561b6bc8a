/* refused.c: steps in a process that may make no thread. */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "plan.h"

enum { N = 1 << 17 };

static float p[N], g[N];
static int asked;

/* It comes before the C library's function of that name. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                   void *(*start)(void *), void *argument)
{
    (void)thread, (void)attributes, (void)start, (void)argument;
    asked++;
    return EAGAIN;
}

int main(void)
{
    static lrc_tensor tensor;
    static lrc_group group;
    static double work[1 << 14];
    lrc_plan plan;
    memset(&plan, 0, sizeof plan);
    for (int i = 0; i < N; i++) g[i] = 1;
    tensor.p = p;
    tensor.g = g;
    tensor.n = N;
    group.coef[0] = group.coef[2] = group.coef[3] = 1;
    plan.tensor = &tensor;
    plan.group = &group;
    plan.n_tensors = plan.n_groups = 1;
    plan.num_threads = 4;
    if (lrc_plan_tensors(&plan) <= sizeof work) plan.work = work;
    for (int k = 0; k < 3; k++)
        if (lrc_step(&plan) != LRC_TAKEN) return 1;
    printf("asked %d, refused %d, %s\n", asked, lrc_threads_refused(),
           p[0] == -3 && p[N - 1] == -3 ? "taken" : "not taken");
    return 0;
}
