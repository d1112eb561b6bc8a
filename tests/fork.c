/* fork.c: what a fork does to OpenMP in a program that uses lrcore.
 *
 *     fork NUM_THREADS
 *
 * takes a step of so many threads, forks, and takes one more in parent and child.  It
 * prints how many times the fork had OpenMP paused, and how the child ended. */

#define _GNU_SOURCE /* for RTLD_NEXT */
#include <dlfcn.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plan.h"

enum { N = 1 << 17 };

static float p[N], g[N];

static int paused;

/* It comes before the runtime's function of that name, and calls it. */
int omp_pause_resource_all(omp_pause_resource_t how)
{
    int (*real)(omp_pause_resource_t);
    void *found = dlsym(RTLD_NEXT, "omp_pause_resource_all");
    memcpy(&real, &found, sizeof real);
    paused++;
    return real(how);
}

static int step(int threads)
{
    static lrc_tensor tensor;
    static lrc_group group;
    static double work[1 << 14];
    lrc_plan plan;
    memset(&plan, 0, sizeof plan);
    tensor.p = p;
    tensor.g = g;
    tensor.n = N;
    group.coef[0] = group.coef[2] = group.coef[3] = 1;
    plan.tensor = &tensor;
    plan.group = &group;
    plan.n_tensors = plan.n_groups = 1;
    plan.num_threads = threads;
    if (lrc_plan_tensors(&plan) <= sizeof work) plan.work = work;
    return lrc_step(&plan) == LRC_TAKEN;
}

int main(int argc, char **argv)
{
    const int threads = argc > 1 ? atoi(argv[1]) : 1;
    int status = 1;
    for (int i = 0; i < N; i++) g[i] = 1;
    if (!step(threads)) return 1;
    const pid_t child = fork();
    const int taken = step(2) && p[0] == -2 && p[N - 1] == -2;
    if (child == 0) _exit(taken ? 0 : 1);
    if (child < 0 || waitpid(child, &status, 0) != child) return 1;
    printf("paused %d times, child %d\n", paused, status);
    return !taken;
}
