/* worth.c: whether other threads save the caller more time than it waits for them. */

#include "worth.h"

enum { MS = 1000000 };
enum { MOST_SAVED = 8 * MS }; /* two slices; time saved long ago does not count */
enum { FIRST_PAUSE = 50 * MS, LONGEST_PAUSE = 1000 * MS };

/* The time of a chunk: the mean of the caller's, without the longest, in which it may
 * have lost its processor. */
static long long usual(const lrc_seen *seen)
{
    enum { MOST_OF_ONE = MS / 10 }; /* of a single one, which may be the longest */
    if (seen->own > 1) return (seen->ns - seen->longest_ns) / (seen->own - 1);
    return seen->ns < MOST_OF_ONE ? seen->ns : MOST_OF_ONE;
}

int lrc_is_worth_threads(const lrc_worth *worth, long long now)
{
    return now >= worth->alone_until;
}

void lrc_enter_job(lrc_worth *worth, const lrc_seen *seen, long long now)
{
    const long long chunk = usual(seen);
    /* Another thread may begin its last chunk just when the caller has ended its own:
     * to wait for one chunk is no loss. */
    const long long lost = seen->waited_ns > chunk ? seen->waited_ns - chunk : 0;
    worth->balance += seen->others * chunk - lost;
    if (worth->balance > MOST_SAVED) {
        worth->balance = MOST_SAVED;
        worth->pause = 0;
    }
    if (worth->balance >= 0) return;
    worth->balance = 0;
    worth->pause = worth->pause == 0 ? FIRST_PAUSE : 2 * worth->pause;
    if (worth->pause > LONGEST_PAUSE) worth->pause = LONGEST_PAUSE;
    worth->alone_until = now + worth->pause;
}
