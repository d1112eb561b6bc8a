/* dealt.h: a job that is dealt out to threads.
 *
 * Each thread has a share of the job's chunks.  It claims them in order; they are those
 * that it had in the last step, and may still be in its cache.  Then it helps the
 * others, from the ends of their shares, so that no chunk waits for a thread that is
 * late. */

#ifndef LRC_DEALT_H
#define LRC_DEALT_H

#include <stdatomic.h>

#include "threads.h"
#include "worth.h"

enum { LRC_MOST_THREADS = 256, LRC_MOST_CHUNKS = 65535 };

/* Deal out a job, when the one before is over.  Threads may see it once they have its
 * number, which is another than those of the jobs before. */
void lrc_deal(unsigned number, int n_threads, int n_chunks, lrc_job *job, void *ctx);

/* In a thread of the job: do what is left to claim, if the job is not over. */
void lrc_do_chunks(int thread, unsigned number);

/* In the caller's thread, which is thread 0: the same, then wait for the chunks that
 * others are doing. */
lrc_seen lrc_do_job(unsigned number, int n_threads, int n_chunks);

/* Whether the last job had a share for this thread. */
int lrc_has_use_for(int thread);

/* In a child process, where a job may never end. */
void lrc_forget_job(void);

#endif
