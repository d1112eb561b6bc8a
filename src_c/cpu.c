/* cpu.c: the instruction sets that this processor runs, and the one in use. */

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "portable.h"

#define X(isa, needs)                                                                  \
    extern const lrc_table lrc_##isa##_f32, lrc_##isa##_f64;                           \
    static int runs_##isa(void) { return (needs) != 0; }
FOR_EACH_ISA(X)
#undef X

typedef struct {
    const char *name;
    int (*runs)(void);
    const lrc_table *tables[LRC_N_DTYPES];
} instruction_set;

static const instruction_set isas[] = {
#define X(isa, needs)                                                                  \
    {#isa, runs_##isa, {[LRC_F32] = &lrc_##isa##_f32, [LRC_F64] = &lrc_##isa##_f64}},
    FOR_EACH_ISA(X)
#undef X
};

size_t lrc_isa_count(void) { return sizeof isas / sizeof *isas; }

const char *lrc_isa_name(size_t i) { return i < lrc_isa_count() ? isas[i].name : NULL; }

int lrc_isa_runs(size_t i) { return i < lrc_isa_count() && isas[i].runs(); }

/* The instruction set of that name, or the best if name is NULL; NULL if none runs. */
static const instruction_set *find(const char *name)
{
    for (size_t i = lrc_isa_count(); i-- > 0;)
        if ((!name || strcmp(name, isas[i].name) == 0) && isas[i].runs())
            return isas + i;
    return NULL;
}

/* Chosen on first use; two threads that do this at the same time choose the same. */
static _Atomic(const instruction_set *) current;

static const instruction_set *in_use(void)
{
    const instruction_set *isa = atomic_load_explicit(&current, memory_order_relaxed);
    if (!isa) {
        const char *wanted = getenv("LRCORE_ISA");
        isa = wanted ? find(wanted) : NULL;
        if (!isa) isa = find(NULL);
        atomic_store_explicit(&current, isa, memory_order_relaxed);
    }
    return isa;
}

const lrc_table *const *lrc_current_tables(void) { return in_use()->tables; }

const char *lrc_isa(void) { return in_use()->name; }

int lrc_set_isa(const char *name)
{
    const instruction_set *isa =
        name ? find(name) : NULL; /* NULL: choose again on the next use */
    if (name && !isa) return -1;
    atomic_store_explicit(&current, isa, memory_order_relaxed);
    return 0;
}
