/* threads.c: how many threads share a step. */

#include "threads.h"

#include <stdatomic.h>

#include "lrcore.h"

static atomic_int num_threads; /* as set; 0: the default */
static atomic_int limit;       /* of the default; 0: none */

static int least(int a, int b) { return a < b ? a : b; }

int lrc_num_threads(void)
{
    const int set = atomic_load_explicit(&num_threads, memory_order_relaxed);
    if (set > 0 && lrc_has_openmp()) return set;
    const int most = atomic_load_explicit(&limit, memory_order_relaxed);
    const int n = least(lrc_usual_threads(), lrc_processors());
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
    if (total < (parallel_from ? parallel_from : LRC_PARALLEL_FROM)) return 1;
    const int n = asked > 0 ? asked : lrc_num_threads();
    if (n <= FEW) return n;
    /* More than these gain nothing, and OpenMP ends the process where it cannot make
     * one. */
    const int most = 4 * lrc_processors();
    return least(n, most > FEW ? most : FEW);
}
