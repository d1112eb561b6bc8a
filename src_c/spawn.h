/* spawn.h: making threads, and trying whether they can be had. */

#ifndef LRC_SPAWN_H
#define LRC_SPAWN_H

#include <pthread.h>
#include <stddef.h>

/* Bytes of a thread's stack.  The frames of a job take up to 100,000; the C library keeps
 * thread-local data of all libraries there, too. */
enum { LRC_STACK = 1 << 20, LRC_LEAST_STACK = LRC_STACK / 4 };

/* Make a thread, with all signals but faults blocked; return 0, or an error if the system
 * refuses it. */
int lrc_spawn(pthread_t *thread, size_t stack, void *(*run)(void *), void *ctx);

/* Whether n threads at once with such stacks can be had: they are made, and end. */
int lrc_can_spawn(int n, size_t stack);

/* The stack of OpenMP's threads (bytes): that of its variables as libgomp reads them (a
 * number of kB, or one with a unit), or the system's default. */
size_t lrc_openmp_stack(void);

#endif
