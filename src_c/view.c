/* view.c: the view of a strip. */

#include "view.h"

/* A tensor with this many elements or more is assumed to fit into no cache. */
enum { STREAMED = 1 << 22 };

size_t lrc_size_of(lrc_dtype dtype)
{
    return dtype == LRC_F32 ? sizeof(float) : sizeof(double);
}

static void *past(const void *array, size_t bytes)
{
    return array ? (char *)array + bytes : NULL;
}

void lrc_view_of(const lrc_tensor *t, size_t at, size_t n, lrc_view *v)
{
    const size_t bytes = at * lrc_size_of(t->dtype);
    v->g = past(t->g, bytes);
    v->p = past(t->p, bytes);
    v->acc = past(t->acc, bytes);
    v->u = past(t->u, bytes);
    for (int k = 0; k < LRC_MAX_STATES; k++) v->s[k] = past(t->s[k], bytes);
    for (int k = 0; k < LRC_MAX_AVERAGES; k++) v->a[k] = past(t->a[k], bytes);
    v->delta = past(t->mechanic_delta, bytes);
    v->p0 = past(t->mechanic_p0, bytes);
    for (int k = 0; k < LRC_MAX_GAUGED; k++) v->gauged[k] = past(t->gauged[k], bytes);
    v->n = n;
    v->at = at;
    v->streamed = t->n >= STREAMED;
    v->units = &t->units;
    v->unit_factor = NULL;
    v->tensor = t;
}
