/* threads.c: how many threads, and running them.  The only OpenMP. */

#include "threads.h"

#include <stdatomic.h>

#include "lrcore.h"
#include "portable.h"

#ifdef _OPENMP
#include <omp.h>
#include <pthread.h>
#endif

static atomic_int num_threads; /* as set; 0: the default */
static atomic_int limit;       /* of the default; 0: none */

#ifdef _OPENMP

#ifdef OPENMP_IS_LIBGOMP
/* libgomp's pool of threads does not outlive a fork: a child that steps would wait for
 * threads that it does not have.  Resting the pool before each fork lets parent and child
 * make their own anew (about 0.5 ms).  One handler a process, for forks made in C too. */
static void rest_pool(void) { (void)omp_pause_resource_all(omp_pause_hard); }

__attribute__((constructor)) static void guard_fork(void)
{
    (void)pthread_atfork(rest_pool, NULL, NULL);
}
#endif

int lrc_has_openmp(void) { return 1; }

static int usual_threads(void) { return omp_get_max_threads(); }

/* Those of the processor affinity as it is now: a system call. */
static int processors(void) { return omp_get_num_procs(); }

void lrc_parallel_for(int n_threads, void (*fn)(void *, int, int), void *ctx)
{
    if (n_threads == 1) {
        fn(ctx, 0, 1);
        return;
    }
#pragma omp parallel num_threads(n_threads)
    fn(ctx, omp_get_thread_num(), omp_get_num_threads());
}

void lrc_meet(int n)
{
    if (n == 1) return;
#pragma omp barrier
}

#else

int lrc_has_openmp(void) { return 0; }

static int usual_threads(void) { return 1; }

static int processors(void) { return 1; }

void lrc_parallel_for(int n_threads, void (*fn)(void *, int, int), void *ctx)
{
    (void)n_threads;
    fn(ctx, 0, 1);
}

void lrc_meet(int n) { (void)n; }

#endif

static int least(int a, int b) { return a < b ? a : b; }

int lrc_num_threads(void)
{
    const int set = atomic_load_explicit(&num_threads, memory_order_relaxed);
    if (set > 0 && lrc_has_openmp()) return set;
    const int most = atomic_load_explicit(&limit, memory_order_relaxed);
    const int n = least(usual_threads(), processors());
    return most > 0 ? least(n, most) : n;
}

void lrc_set_num_threads(int n)
{
    atomic_store_explicit(&num_threads, n, memory_order_relaxed);
}

void lrc_limit_threads(int n)
{
    atomic_store_explicit(&limit, n, memory_order_relaxed);
}

int lrc_threads_for(size_t total, size_t parallel_from, int asked)
{
    enum { FEW = 8 };
    if (total < parallel_from) return 1;
    const int n = asked > 0 ? asked : lrc_num_threads();
    if (n <= FEW) return n;
    /* More than these gain nothing, and OpenMP ends the process where it cannot make
     * one. */
    const int most = 4 * processors();
    return least(n, most > FEW ? most : FEW);
}
