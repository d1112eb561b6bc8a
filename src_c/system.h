/* system.h: what the core asks of the operating system.
 *
 * system.c includes the file of systems/ that portable.h names. */

#ifndef LRC_SYSTEM_H
#define LRC_SYSTEM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* The processors that this process may use now, at least 1; this is a system call. */
int lrc_processors(void);

/* The time of a clock that never goes back, in ns. */
long long lrc_now(void);

/* Let another thread have this processor; and sleep for about a millisecond. */
void lrc_yield(void);
void lrc_sleep_ms(void);

/* Sleep until lrc_wake() is called for the number, unless it is not `value` any more.
 * The thread may also wake without a reason. */
void lrc_sleep_while(atomic_uint *number, unsigned value);

/* Wake all threads that sleep on a number, after it was changed. */
void lrc_wake(atomic_uint *number);

/* A thread, which runs run(ctx) and stays where it is until it is joined. */
typedef struct {
    void (*run)(void *ctx);
    void *ctx;
    uintptr_t handle; /* the system's */
} lrc_thread;

/* Make a thread whose stack has that many bytes; return 0, or an error if the system
 * refuses it.  It leaves the program's signals to other threads, but for faults. */
int lrc_spawn(lrc_thread *thread, size_t stack, void (*run)(void *ctx), void *ctx);
void lrc_join(const lrc_thread *thread);

/* Have functions called in each fork: before it, or NULL; and in the child. */
void lrc_at_fork(void (*before)(void), void (*child)(void));

#endif
