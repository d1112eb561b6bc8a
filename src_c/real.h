/* real.h: the type `real` of REAL bits, 32 or 64, and names for what depends on it. */

#include <math.h>
#include <stdint.h>

#if REAL == 32
#define real    float
#define SQRT    sqrtf
#define ABS     fabsf
#define BITS    uint32_t
#define T(name) name##_f32
#elif REAL == 64
#define real    double
#define SQRT    sqrt
#define ABS     fabs
#define BITS    uint64_t
#define T(name) name##_f64
#else
#error "REAL has to be 32 or 64"
#endif
