/* traffic.c: the memory traffic of an Adam step, and next to no arithmetic: reads p, g, m,
 * v and writes p, m, v.  What a step of large arrays cannot be faster than. */

#include <stddef.h>

void traffic(float *restrict p, const float *restrict g, float *restrict m,
             float *restrict v, size_t n, int num_threads)
{
    (void)num_threads; /* used by the pragma alone */
#pragma omp parallel for simd num_threads(num_threads) schedule(static)
    for (size_t i = 0; i < n; i++) {
        p[i] += g[i];
        m[i] += g[i];
        v[i] += g[i];
    }
}
