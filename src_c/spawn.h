/* spawn.h: the stacks of threads, and trying whether threads can be had. */

#ifndef LRC_SPAWN_H
#define LRC_SPAWN_H

#include "system.h"

/* Bytes of a thread's stack.  The frames of a job take up to 100,000; the C library
 * keeps thread-local data of all libraries there, too. */
enum { LRC_STACK = 1 << 20, LRC_LEAST_STACK = LRC_STACK / 4 };

/* Whether n threads at once with such stacks can be had: they are made, and end. */
int lrc_can_spawn(int n, size_t stack);

#endif
