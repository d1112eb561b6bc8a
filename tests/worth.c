/* worth.c: when other threads take part in jobs, by a clock of its own.
 *
 * A job here has 8 chunks of 10 us.  Prints each case that is not as it should be. */

#include "worth.h"

#include <stdio.h>

enum { US = 1000, MS = 1000000 };

static long long now;
static lrc_worth worth;
static int failed;

/* Run jobs for some time, of which each waits for others' chunks; return how many had
 * other threads. */
static int run(long long ns, long long waited_ns)
{
    const lrc_seen seen = {4, 4, 40 * US, 10 * US, waited_ns};
    int shared = 0;
    for (const long long end = now + ns; now < end;) {
        if (!lrc_is_worth_threads(&worth, now)) {
            now += 80 * US;
            continue;
        }
        now += seen.ns + waited_ns;
        lrc_enter_job(&worth, &seen, now);
        shared++;
    }
    return shared;
}

static void want(const char *what, int is)
{
    if (is) return;
    printf("not so: %s\n", what);
    failed = 1;
}

static void start(void)
{
    worth = (lrc_worth){0};
    now = 123456789;
}

int main(void)
{
    start();
    want("jobs are shared as long as nobody waits", run(1000 * MS, 0) == 25000);
    want("nor does a slice now and then, among 1,000 shared jobs",
         run(4 * MS, 4 * MS) == 1 && run(40 * MS, 0) == 1000);

    start();
    want("after a wait that is longer than was saved, threads rest",
         run(4 * MS, 4 * MS) == 1 && run(49 * MS, 0) == 0);
    want("then they try again", run(5 * MS, 4 * MS) >= 1);
    want("and rest for twice as long", run(99 * MS, 0) == 0);
    for (int k = 0; k < 10; k++) {
        while (!lrc_is_worth_threads(&worth, now)) now += MS;
        while (lrc_is_worth_threads(&worth, now)) (void)run(1, 4 * MS);
    }
    want("but for a second at most", run(999 * MS, 0) == 0 && run(2 * MS, 0) > 0);
    (void)run(1000 * MS, 0);
    int slices = 0;
    for (; lrc_is_worth_threads(&worth, now); slices++) (void)run(1, 4 * MS);
    want("what was saved long ago pays for two slices", slices == 3);
    want("after a good time they rest for 50 ms at first", run(60 * MS, 0) > 0);

    start();
    lrc_enter_job(&worth, &(lrc_seen){4, 2, 40 * US, 10 * US, 10 * US}, now);
    want("a wait for one more chunk costs nothing", worth.balance == 20 * US);
    start();
    lrc_enter_job(&worth, &(lrc_seen){4, 4, 4040 * US, 4000 * US, 0}, now);
    want("the caller's own pause in a chunk is not the time of others' chunks",
         worth.balance < MS);
    start();
    lrc_enter_job(&worth, &(lrc_seen){1, 7, 4000 * US, 4000 * US, 0}, now);
    want("nor if it was its only chunk", worth.balance < MS);
    start();
    lrc_enter_job(&worth, &(lrc_seen){0, 8, 0, 0, 50 * US}, now);
    want("a caller that came to no chunk has waited", worth.alone_until > now);

    if (!failed) printf("as it should be\n");
    return failed;
}
