/* worth.h: whether other threads save the caller more time than it waits for them.
 *
 * On a busy machine a thread may lose its processor in the middle of a chunk, which no
 * other thread can finish.  The caller then waits for a slice of the scheduler, which
 * is some milliseconds, while another thread's help saves it some microseconds.  So
 * there is an account: the time that others have saved is added to it, the time for
 * which the caller waited is taken from it.  When it is overdrawn, jobs run in the
 * caller's thread for a while; then other threads have another try.  Each try that
 * fails doubles the while; one that fills the account ends that. */

#ifndef LRC_WORTH_H
#define LRC_WORTH_H

/* All 0 at first; times are in ns. */
typedef struct {
    long long balance, alone_until, pause;
} lrc_worth;

/* What a caller has seen of its job. */
typedef struct {
    int own, others;      /* chunks done by the caller, and by other threads */
    long long ns;         /* that its own chunks took */
    long long longest_ns; /* the longest of these */
    long long waited_ns;  /* for the others' chunks, after its own */
} lrc_seen;

/* Whether a job that begins now should have other threads. */
int lrc_is_worth_threads(const lrc_worth *worth, long long now);

/* Enter a job that had other threads and has ended now. */
void lrc_enter_job(lrc_worth *worth, const lrc_seen *seen, long long now);

#endif
