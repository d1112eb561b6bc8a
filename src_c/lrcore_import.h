/* lrcore_import.h: the functions of lrcore.h, called through a library's table.
 *
 * For extensions of Python, which cannot be linked with another extension: they call
 * the functions of lrcore._core, and so have its threads, settings and kernels.
 * `cimport lrcore` includes this.  In C, include it instead of lrcore.h, and before the
 * first call
 *
 *     const void *table = PyCapsule_Import("lrcore._core._C_API", 0);
 *     if (!table) return NULL;
 *     if (lrc_import(table) < 0) ... raise ImportError ...
 *
 * in each C file that calls them. */

#ifndef LRCORE_IMPORT_H
#define LRCORE_IMPORT_H

#ifdef LRCORE_H
#error "include lrcore_import.h instead of lrcore.h, not after it"
#endif
#define LRC_API static inline
#include "lrcore_functions.h"

static const lrc_functions *lrc_imported;

/* Use a table.  Returns 0, or -1 if its library is not compatible with this header: of
 * another major version (before 1.0: minor version), or without one of its
 * functions. */
static inline int lrc_import(const void *table)
{
    const lrc_functions *found = (const lrc_functions *)table;
    const int unit = LRC_VERSION < 10000 ? 100 : 10000;
    const int same = found->version / unit == LRC_VERSION / unit;
    if (!same || found->bytes < sizeof *found) return -1;
    lrc_imported = found;
    return 0;
}

#define LRC_FUNCTION(type, name, parameters, arguments)                                \
    static inline type name parameters { return lrc_imported->name arguments; }
#define LRC_PROCEDURE(name, parameters, arguments)                                     \
    static inline void name parameters { lrc_imported->name arguments; }
#include "lrcore_functions.def"
#undef LRC_FUNCTION
#undef LRC_PROCEDURE

#endif
