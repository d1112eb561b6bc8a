/* stack.c: prints the bytes of a stack of OpenMP's threads, as the core reads them. */

#include <stdio.h>

#include "threads.h"

int main(void)
{
    printf("%zu\n", lrc_openmp_stack());
    return 0;
}
