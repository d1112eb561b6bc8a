/* system.c: what src_c/system.h and src_c/portable.h promise, on each system.
 *
 * Prints each promise that does not hold, then whether there are threads and whether a
 * step flushes subnormals if it is not to keep them. */

#include "system.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

#include "plan.h"

enum { STACK = 1 << 18, THREADS = 4 };

static int failed;

static void want(const char *what, int is)
{
    if (is) return;
    printf("not so: %s\n", what);
    failed = 1;
}

/* --- threads ---------------------------------------------------------------------- */

static atomic_uint signal_given, awake;

static void wait_for_signal(void *asleep)
{
    atomic_fetch_add((atomic_uint *)asleep, 1);
    while (!atomic_load(&signal_given)) lrc_sleep_while(&signal_given, 0);
    atomic_fetch_add(&awake, 1);
}

/* Return whether there are threads. */
static int try_threads(void)
{
    static lrc_thread thread[THREADS];
    atomic_uint asleep = 0;
    for (int k = 0; k < THREADS; k++)
        if (lrc_spawn(thread + k, STACK, wait_for_signal, &asleep)) {
            want("no thread is refused after the first", k == 0);
            return 0;
        }
    while (atomic_load(&asleep) < THREADS) lrc_yield();
    for (int k = 0; k < 20; k++) lrc_sleep_ms();
    want("threads sleep until they are woken", atomic_load(&awake) == 0);
    atomic_store(&signal_given, 1);
    lrc_wake(&signal_given);
    for (int k = 0; k < THREADS; k++) lrc_join(thread + k);
    want("all are woken", atomic_load(&awake) == THREADS);
    lrc_sleep_while(&signal_given, 0); /* returns, as the number is another */
    return 1;
}

static void try_clock(void)
{
    const long long began = lrc_now();
    long long before = began;
    for (int k = 0; k < 1000; k++) {
        const long long now = lrc_now();
        want("the clock never goes back", now >= before);
        before = now;
    }
    for (int k = 0; k < 20; k++) lrc_sleep_ms(); /* each may end a little early */
    want("20 ms are at least 10,000,000 ns", lrc_now() - began >= 10000000);
}

/* --- subnormals ------------------------------------------------------------------- */

/* A step of p = 0 by g / 4, where g is the least normal number. */
static double step_to_subnormal(int keep)
{
    static double p, g, work[256];
    lrc_tensor tensor;
    lrc_group group;
    lrc_plan plan;
    memset(&tensor, 0, sizeof tensor);
    memset(&group, 0, sizeof group);
    memset(&plan, 0, sizeof plan);
    p = 0, g = -DBL_MIN;
    tensor.p = &p, tensor.g = &g, tensor.n = 1, tensor.dtype = LRC_F64;
    group.coef[0] = group.coef[2] = 1, group.coef[3] = 0.25;
    plan.tensor = &tensor, plan.group = &group;
    plan.n_tensors = plan.n_groups = 1;
    plan.keep_subnormals = keep;
    if (lrc_plan_tensors(&plan) <= sizeof work) plan.work = work;
    want("a step is taken", lrc_step(&plan) == LRC_TAKEN);
    return p;
}

int main(void)
{
    volatile double least = DBL_MIN;
    want("there is a processor", lrc_processors() >= 1);
    want("a step has as many threads as there are processors, at most",
         lrc_num_threads() >= 1 && lrc_num_threads() <= lrc_processors());
    const int has_threads = try_threads();
    if (has_threads) try_clock();

    want("subnormals are kept if asked", step_to_subnormal(1) == DBL_MIN / 4);
    const double p = step_to_subnormal(0);
    want("the caller's subnormals are kept", least / 4 > 0);
    want("a subnormal is kept or is 0", p == 0 || p == DBL_MIN / 4);
    printf("%sthreads, %s\n", has_threads ? "" : "no ", p == 0 ? "flushes" : "keeps");
    return failed;
}
