/* cpu.c: which tables of kernels this processor runs, and which one is in use. */

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "portable.h"

#define X(isa, needs)                                                                  \
    extern const lrc_table lrc_##isa;                                                  \
    static int runs_##isa(void) { return (needs) != 0; }
FOR_EACH_ISA(X)
#undef X

static const struct {
    const lrc_table *table;
    int (*runs)(void);
} tables[] = {
#define X(isa, needs) {&lrc_##isa, runs_##isa},
    FOR_EACH_ISA(X)
#undef X
};

size_t lrc_isa_count(void) { return sizeof tables / sizeof *tables; }

const char *lrc_isa_name(size_t i) { return tables[i].table->isa; }

int lrc_isa_runs(size_t i) { return tables[i].runs(); }

/* The best table that runs, or the one of that name; NULL where there is none. */
static const lrc_table *find(const char *name)
{
    for (size_t i = lrc_isa_count(); i-- > 0;)
        if ((!name || strcmp(name, lrc_isa_name(i)) == 0) && lrc_isa_runs(i))
            return tables[i].table;
    return NULL;
}

/* The library's one mutable global besides the number of threads.  Chosen on first use;
 * two threads that come first together choose the same. */
static _Atomic(const lrc_table *) current;

const lrc_table *lrc_current_table(void)
{
    const lrc_table *table = atomic_load_explicit(&current, memory_order_relaxed);
    if (!table) {
        const char *wanted = getenv("LRCORE_ISA");
        table = wanted ? find(wanted) : NULL;
        if (!table) table = find(NULL);
        atomic_store_explicit(&current, table, memory_order_relaxed);
    }
    return table;
}

const char *lrc_isa(void) { return lrc_current_table()->isa; }

int lrc_set_isa(const char *name)
{
    const lrc_table *table = name ? find(name) : NULL; /* NULL: chosen anew on use */
    if (name && !table) return -1;
    atomic_store_explicit(&current, table, memory_order_relaxed);
    return 0;
}
