/* threads.c: the number of threads of a step. */

#include "threads.h"

#include <stdatomic.h>

#include "lrcore.h"

static atomic_int num_threads; /* as the user has set it; 0: the default */
static atomic_int limit;       /* of the default; 0: no limit */

static int lesser(int a, int b) { return a < b ? a : b; }

int lrc_num_threads(void)
{
    const int set = atomic_load_explicit(&num_threads, memory_order_relaxed);
    if (set > 0 && lrc_has_openmp()) return set;
    const int most = atomic_load_explicit(&limit, memory_order_relaxed);
    const int n = lesser(lrc_usual_threads(), lrc_processors());
    return most > 0 ? lesser(n, most) : n;
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
    /* More gain nothing, and OpenMP ends the process if it cannot create a thread. */
    const int most = 4 * lrc_processors();
    return lesser(n, most > FEW ? most : FEW);
}
