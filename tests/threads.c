/* threads.c: steps by several threads, in the ways in which a program can take them.
 *
 *     threads together     four threads take steps at the same time
 *     threads numbers      steps of 1 to 9 threads in turn
 *     threads alternately  small and large jobs, between which threads fall asleep
 *     threads many         more chunks than the pool counts, by more threads
 *     threads exit         the program ends while another thread takes steps
 *
 * Prints "same" if all params are those of steps by one thread.  tests/forked.c has the
 * ways that only some systems have. */

#include <stdatomic.h>
#include <stdio.h>

#include "steps.h"
#include "system.h"
#include "threads.h"

enum { AT_ONCE = 4, STACK = 1 << 20 };

/* --- the ways --------------------------------------------------------------------- */

static void take_all(void *made) { steps(made, STEPS); }

static int together(run *r)
{
    lrc_thread thread[AT_ONCE];
    int same = 1;
    for (int k = 0; k < AT_ONCE; k++) {
        begin(r + k, 3);
        if (lrc_spawn(thread + k, STACK, take_all, r + k)) abort();
    }
    for (int k = 0; k < AT_ONCE; k++) {
        lrc_join(thread + k);
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

static void take_steps_for_ever(void *made)
{
    for (;;) steps(made, 1);
}

static atomic_int done_of[1 << 16];

static void count(void *ctx, const lrc_chunk *chunk)
{
    (void)ctx;
    atomic_fetch_add(done_of + chunk->k, 1);
}

/* Whether other threads had chunks of one of the large jobs at least. */
static _Thread_local int calls;
static atomic_int helped;

static void take_time(void *ctx, const lrc_chunk *chunk)
{
    const long long us = *(int *)ctx, began = lrc_now();
    (void)chunk;
    while (lrc_now() - began < 1000 * us) continue;
    if (us > 10 && !calls) atomic_store(&helped, 1);
}

static int alternately(void)
{
    int small = 3, large = 50, same = 1;
    calls = 1;
    for (int order = 0; order < 2; order++) {
        for (int k = 0; k < 20 + order; k++) { /* threads come too late for these */
            lrc_parallel(2, 4, take_time, &small);
            lrc_sleep_ms();
        }
        atomic_store(&helped, 0);
        /* On a busy machine threads may rest for a second (src_c/worth.c). */
        for (int k = 0; k < 50 || (!atomic_load(&helped) && k < 5000); k++) {
            lrc_parallel(2, 4, take_time, &small);
            lrc_sleep_ms();
            lrc_parallel(2, 64, take_time, &large);
            lrc_sleep_ms();
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
    static lrc_thread thread;
    begin(r, 2);
    steps(r, STEPS);
    begin(r + 1, 2);
    if (lrc_spawn(&thread, STACK, take_steps_for_ever, r + 1)) abort();
    for (int k = 0; k < 20; k++) lrc_sleep_ms();
    return is_wanted(r);
}

int main(int argc, char **argv)
{
    run *r = begin_all(AT_ONCE);
    const char *way = argc > 1 ? argv[1] : "";
    int same = 0;
    if (!r) return 1;
    if (strcmp(way, "together") == 0) same = together(r);
    if (strcmp(way, "numbers") == 0) same = numbers(r);
    if (strcmp(way, "alternately") == 0) same = alternately();
    if (strcmp(way, "many") == 0) same = many();
    if (strcmp(way, "exit") == 0) same = ended(r);
    printf("%s\n", same ? "same" : "different");
    return !same; /* r is left to the threads that may use it */
}
