/* threads.c: steps by several threads, in the ways in which a program can take them.
 *
 *     threads together     four threads take steps at the same time
 *     threads numbers      steps of 1 to 9 threads in turn
 *     threads fork         a child takes steps, and so does its child
 *     threads amid         children are forked while another thread takes steps
 *     threads alternately  small and large jobs in turn, with time to fall asleep between
 *     threads many         more chunks than the pool counts, by more threads
 *     threads exit         the program ends while another thread takes steps
 *
 * Prints "same" if all params are those of steps by one thread. */

#define _GNU_SOURCE /* for usleep */
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plan.h"
#include "threads.h"

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

static int tasks(void)
{
    int n = 0;
    DIR *folder = opendir("/proc/self/task");
    while (folder && readdir(folder)) n++;
    if (folder) closedir(folder);
    return n - 2; /* "." and ".." */
}

/* Each child has threads of its own, whatever the pool was doing. */
static int amid(run *r)
{
    pthread_t thread;
    int status = 0, same = 1;
    begin(r, 2);
    begin(r + 1, 2);
    if (pthread_create(&thread, NULL, take_steps_for_ever, r + 1)) abort();
    for (int k = 0; k < 20 && same; k++) {
        usleep(1000);
        const pid_t child = fork();
        if (child == 0) {
            steps(r, STEPS);
            _exit(!(is_wanted(r) && tasks() == 2));
        }
        same = child > 0 && waitpid(child, &status, 0) == child && status == 0;
    }
    return same;
}

static atomic_int done_of[1 << 16];

static void count(void *ctx, const lrc_chunk *chunk)
{
    (void)ctx;
    atomic_fetch_add(done_of + chunk->k, 1);
}

/* Whether other threads had chunks of one of the large jobs at least. */
static pthread_t caller;
static atomic_int helped;

static void take_time(void *ctx, const lrc_chunk *chunk)
{
    const int *us = ctx;
    struct timespec began, now;
    (void)chunk;
    clock_gettime(CLOCK_MONOTONIC, &began);
    do clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - began.tv_sec) * 1000000 +
               (now.tv_nsec - began.tv_nsec) / 1000 <
           *us);
    if (*us > 10 && !pthread_equal(caller, pthread_self())) atomic_store(&helped, 1);
}

static int alternately(void)
{
    int small = 3, large = 50, same = 1;
    caller = pthread_self();
    for (int order = 0; order < 2; order++) {
        for (int k = 0; k < 20 + order; k++) { /* threads come too late for these */
            lrc_parallel(2, 4, take_time, &small);
            usleep(400);
        }
        atomic_store(&helped, 0);
        /* On a busy machine threads may rest for a second (src_c/worth.c). */
        for (int k = 0; k < 50 || (!atomic_load(&helped) && k < 5000); k++) {
            lrc_parallel(2, 4, take_time, &small);
            usleep(400);
            lrc_parallel(2, 64, take_time, &large);
            usleep(400);
        }
        same = same && atomic_load(&helped);
    }
    return same;
}

static int many(void)
{
    enum { THREADS = 300, CHUNKS = 70000, MOST = 65535 };
    int same = 1;
    lrc_parallel(THREADS, CHUNKS, count, NULL);
    for (int k = 0; k < MOST; k++) same = same && atomic_load(done_of + k) == 1;
    return same;
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
    if (strcmp(way, "amid") == 0) same = amid(r);
    if (strcmp(way, "alternately") == 0) same = alternately();
    if (strcmp(way, "many") == 0) same = many();
    if (strcmp(way, "exit") == 0) same = ended(r);
    printf("%s\n", same ? "same" : "different");
    return !same; /* r is left to the threads that may use it */
}
