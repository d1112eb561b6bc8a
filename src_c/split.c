/* split.c: how the work is split into chunks. */

#include "split.h"

size_t lrc_begin(size_t total, size_t block, int k, int n)
{
    const size_t blocks = total / block + (total % block != 0);
    const size_t chunks = (size_t)n, chunk = (size_t)k;
    if (k == n) return total;
    /* blocks * chunk / chunks, without overflow */
    return (blocks / chunks * chunk + blocks % chunks * chunk / chunks) * block;
}

/* The last tensor whose first element is not after element `at` of the plan. */
static const lrc_tensor *tensor_at(const lrc_plan *plan, size_t at)
{
    size_t lo = 0, hi = plan->n_tensors;
    while (hi - lo > 1) {
        const size_t mid = lo + (hi - lo) / 2;
        if (plan->tensor[mid].first <= at)
            lo = mid;
        else
            hi = mid;
    }
    return plan->tensor + lo;
}

/* The tensor in which chunk k of n begins, and the index of the element in it. */
static const lrc_tensor *begin_of(const lrc_plan *plan, int k, int n, size_t *index)
{
    *index = 0;
    if (plan->n_tensors == 0) return plan->tensor;
    *index = plan->tensor->before;
    if (k == 0) return plan->tensor;
    *index = 0;
    if (k == n) return plan->tensor + plan->n_tensors;
    const size_t at = lrc_begin(plan->total, 1, k, n);
    const lrc_tensor *t = tensor_at(plan, at);
    *index = t->before + (at - t->first) / t->grain * t->grain;
    return t;
}

lrc_stretch lrc_stretch_of(const lrc_plan *plan, const lrc_chunk *chunk)
{
    lrc_stretch s;
    s.t = begin_of(plan, chunk->k, chunk->n, &s.at);
    s.last = begin_of(plan, chunk->k + 1, chunk->n, &s.end);
    return s;
}

static size_t end_of(const lrc_stretch *s)
{
    return s->t == s->last ? s->end : s->t->n - s->t->after;
}

const lrc_tensor *lrc_next_tensor(lrc_stretch *s)
{
    while (s->t < s->last || (s->t == s->last && s->at < s->end)) {
        if (s->at < end_of(s)) return s->t;
        s->t++;
        s->at = s->t < s->last || s->end > 0 ? s->t->before : 0;
    }
    return NULL;
}

int lrc_next(lrc_stretch *s, int whole, lrc_view *view)
{
    if (!lrc_next_tensor(s)) return 0;
    const size_t left = end_of(s) - s->at;
    const size_t n = whole || left < LRC_STRIP ? left : LRC_STRIP;
    lrc_view_of(s->t, s->at, n, view);
    s->at += n;
    return 1;
}

size_t lrc_strips(size_t n) { return n / LRC_STRIP + (n % LRC_STRIP != 0); }

size_t lrc_strip_of(const lrc_view *v)
{
    return v->tensor->first_strip + v->at / LRC_STRIP;
}
