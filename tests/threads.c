/* threads.c: steps by several threads, in the ways in which a program can take them.
 *
 *     threads together     four threads take steps at the same time
 *     threads numbers      steps of 1 to 9 threads in turn
 *     threads fork         a child takes steps, and so does its child
 *     threads exit         the program ends while another thread takes steps
 *
 * Prints "same" if all params are those of steps by one thread. */

#define _GNU_SOURCE /* for usleep */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lrcore.h"

enum { N = 100003, STEPS = 40, AT_ONCE = 4 };

typedef struct {
    float p[N], g[N], m[N];
    lrc_tensor tensor;
    lrc_group group;
    lrc_plan plan;
    double work[1 << 12];
} run;

static float wanted[N];

static void begin(run *r, int threads)
{
    memset(r, 0, sizeof *r);
    for (int i = 0; i < N; i++) r->g[i] = (float)(i % 97) - 48;
    r->tensor.p = r->p;
    r->tensor.g = r->g;
    r->tensor.s[0] = r->m;
    r->tensor.n = N;
    r->group.rule = LRC_momentum;
    r->group.coef[0] = r->group.coef[2] = 1;
    r->group.coef[3] = 0.1;
    r->group.coef[4] = 0.9;
    r->group.coef[5] = 1;
    r->plan.tensor = &r->tensor;
    r->plan.group = &r->group;
    r->plan.n_tensors = r->plan.n_groups = 1;
    r->plan.num_threads = threads;
    r->plan.clip_norm =
        100; /* two passes, of which the second needs all of the first */
    if (lrc_plan_tensors(&r->plan) <= sizeof r->work) r->plan.work = r->work;
}

static void steps(run *r, int n)
{
    for (int k = 0; k < n; k++)
        if (lrc_step(&r->plan) != LRC_TAKEN) abort();
}

static int is_wanted(const run *r) { return memcmp(r->p, wanted, sizeof wanted) == 0; }

/* --- the ways --------------------------------------------------------------------- */

static void *take_all(void *made)
{
    run *r = made;
    steps(r, STEPS);
    return NULL;
}

static int together(run *r)
{
    pthread_t thread[AT_ONCE];
    int same = 1;
    for (int k = 0; k < AT_ONCE; k++) {
        begin(r + k, 3);
        if (pthread_create(thread + k, NULL, take_all, r + k)) abort();
    }
    for (int k = 0; k < AT_ONCE; k++) {
        (void)pthread_join(thread[k], NULL);
        same = same && is_wanted(r + k);
    }
    return same;
}

static int numbers(run *r)
{
    begin(r, 1);
    for (int k = 0; k < STEPS; k++) {
        r->plan.num_threads = 1 + k % 9;
        steps(r, 1);
    }
    return is_wanted(r);
}

static int forked(run *r, int depth)
{
    int status = 0;
    begin(r, 2);
    steps(r, STEPS / 2);
    const pid_t child = depth > 0 ? fork() : -1;
    steps(r, STEPS / 2);
    if (child == 0) exit(!forked(r, depth - 1));
    if (child > 0 && (waitpid(child, &status, 0) != child || status != 0)) return 0;
    return is_wanted(r);
}

static void *take_steps_for_ever(void *made)
{
    for (;;) steps(made, 1);
    return NULL;
}

static int ended(run *r)
{
    pthread_t thread;
    begin(r, 2);
    steps(r, STEPS);
    begin(r + 1, 2);
    if (pthread_create(&thread, NULL, take_steps_for_ever, r + 1)) abort();
    usleep(20000);
    return is_wanted(r);
}

int main(int argc, char **argv)
{
    run *r = calloc(AT_ONCE, sizeof *r);
    const char *way = argc > 1 ? argv[1] : "";
    int same = 0;
    if (!r) return 1;
    begin(r, 1);
    steps(r, STEPS);
    memcpy(wanted, r->p, sizeof wanted);
    if (strcmp(way, "together") == 0) same = together(r);
    if (strcmp(way, "numbers") == 0) same = numbers(r);
    if (strcmp(way, "fork") == 0) same = forked(r, 2);
    if (strcmp(way, "exit") == 0) same = ended(r);
    printf("%s\n", same ? "same" : "different");
    return !same; /* r is left to the threads that may use it */
}
