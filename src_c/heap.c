/* heap.c: the allocator that takes memory from the C library's heap. */

#include <stdlib.h>

#include "lrcore.h"

static void *resize(void *context, void *memory, size_t old, size_t bytes)
{
    (void)context, (void)old;
    if (bytes) return realloc(memory, bytes);
    free(memory);
    return NULL;
}

const lrc_allocator *lrc_heap(void)
{
    static const lrc_allocator heap = {resize, NULL};
    return &heap;
}
