/* cpu.c: which tables of kernels this processor runs, and which one is in use. */

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

extern const lrc_table lrc_baseline;
#if defined(__x86_64__)
extern const lrc_table lrc_avx2, lrc_avx512;
#endif

/* Best last.  What a row asks of the processor is what setup.py lets the compiler use
 * for it; the builtins also ask whether the operating system saves the wider registers.
 */
static const lrc_table *const tables[] = {
    &lrc_baseline,
#if defined(__x86_64__)
    &lrc_avx2,
    &lrc_avx512,
#endif
};

size_t lrc_isa_count(void) { return sizeof tables / sizeof *tables; }

const char *lrc_isa_name(size_t i) { return tables[i]->isa; }

int lrc_isa_runs(size_t i)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (tables[i] == &lrc_avx2) return __builtin_cpu_supports("avx2") != 0;
    if (tables[i] == &lrc_avx512)
        return __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
    return i == 0;
}

/* The best table that runs, or the one of that name; NULL where there is none. */
static const lrc_table *find(const char *name)
{
    for (size_t i = lrc_isa_count(); i-- > 0;)
        if ((!name || strcmp(name, lrc_isa_name(i)) == 0) && lrc_isa_runs(i))
            return tables[i];
    return NULL;
}

/* The library's one mutable global besides the number of threads.  Chosen on first use;
 * two threads that come first together choose the same. */
static _Atomic(const lrc_table *) current;

const lrc_table *lrc_current_table(void)
{
    const lrc_table *table = atomic_load_explicit(&current, memory_order_relaxed);
    if (!table) {
        table = find(getenv("LRCORE_ISA"));
        if (!table) table = find(NULL);
        atomic_store_explicit(&current, table, memory_order_relaxed);
    }
    return table;
}

const char *lrc_isa(void) { return lrc_current_table()->isa; }

int lrc_set_isa(const char *name)
{
    const lrc_table *table = find(name);
    if (!table) return -1;
    atomic_store_explicit(&current, table, memory_order_relaxed);
    return 0;
}
