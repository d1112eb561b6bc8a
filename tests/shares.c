/* shares.c: where lrc_begin() lets each thread begin.  Reads lines of "total block n",
 * and prints where thread 0, 1, ... begins, and the end. */

#include <stdio.h>

#include "split.h"

int main(void)
{
    size_t total, block;
    int n;
    while (scanf("%zu %zu %d", &total, &block, &n) == 3)
        for (int k = 0; k <= n; k++)
            printf("%zu%c", lrc_begin(total, block, k, n), k < n ? ' ' : '\n');
    return 0;
}
