/* spans.c: where a plan's arrays are in memory, and that they do not overlap. */

#include <string.h>

#include "setup.h"
#include "view.h"

/* --- heap sort, which takes no memory (qsort() of glibc does) --------------------- */

static void sink(lrc_span *x, size_t at, size_t n)
{
    const lrc_span moved = x[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && x[child].begin < x[child + 1].begin) child++;
        if (x[child].begin <= moved.begin) break;
        x[at] = x[child];
    }
    x[at] = moved;
}

static void sort(lrc_span *x, size_t n)
{
    for (size_t i = n / 2; i-- > 0;) sink(x, i, n);
    while (n-- > 1) {
        const lrc_span last = x[n];
        x[n] = x[0];
        x[0] = last;
        sink(x, 0, n);
    }
}

/* --- what overlaps ---------------------------------------------------------------- */

static int overlap(lrc_plan *plan, const lrc_span *a, const lrc_span *b)
{
    return lrc_fail(
        plan, LRC_REFUSED,
        "%s of tensor %zu: overlaps %s of tensor %zu; give each array memory "
        "of its own",
        a->what, a->tensor, b->what, b->tensor);
}

/* LRC_OK if no two of the spans, which it sorts, overlap. */
static int disjoint(lrc_plan *plan, lrc_span *x, size_t n)
{
    sort(x, n);
    for (size_t i = 1; i < n; i++)
        if (x[i].begin < x[i - 1].end) return overlap(plan, x + i, x + i - 1);
    return LRC_OK;
}

/* LRC_OK if a span overlaps none of n others, which are sorted and disjoint. */
static int apart(lrc_plan *plan, const lrc_span *span, const lrc_span *x, size_t n)
{
    size_t lo = 0, hi = n; /* those before lo end before the span begins */
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (x[mid].end <= span->begin)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && x[lo].begin < span->end ? overlap(plan, span, x + lo) : LRC_OK;
}

/* --- the arrays of a plan --------------------------------------------------------- */

static lrc_span span_of(const lrc_plan *plan, size_t tensor, const void *array,
                        const char *what)
{
    const lrc_tensor *t = plan->tensor + tensor;
    const uintptr_t begin = (uintptr_t)array;
    return (lrc_span){begin, begin + t->n * lrc_size_of(t->dtype), tensor, what};
}

/* The spans of a tensor's parameters and states; returns how many. */
static size_t list_tensor(const lrc_plan *plan, size_t i, lrc_span *x)
{
    const lrc_tensor *t = plan->tensor + i;
    size_t n = 0;
    if (t->n == 0) return 0;
    x[n++] = span_of(plan, i, t->p, "p");
    for (int k = 0; k < LRC_MAX_STATES && t->s[k]; k++)
        x[n++] = span_of(plan, i, t->s[k], lrc_state_names[k]);
    return n;
}

/* The spans of all arrays of tensors with elements, but gradients; returns how many. */
static size_t list_arrays(const lrc_plan *plan, lrc_span *x)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->n_tensors; i++) {
        const lrc_tensor *t = plan->tensor + i;
        n += list_tensor(plan, i, x + n);
        if (t->n > 0 && t->a[0]) x[n++] = span_of(plan, i, t->a[0], "the average");
    }
    return n;
}

static size_t list_gradients(const lrc_plan *plan, lrc_span *x)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->n_tensors; i++)
        if (plan->tensor[i].n > 0) x[n++] = span_of(plan, i, plan->tensor[i].g, "g");
    return n;
}

int lrc_check_spans(lrc_plan *plan)
{
    enum { MOST = LRC_MAX_STATES + 3 }; /* of a tensor */
    lrc_setup *setup = plan->setup;
    if (plan->n_tensors > SIZE_MAX / (MOST * sizeof(lrc_span)))
        return lrc_fail(plan, LRC_NO_MEMORY, "memory: the tensors are too many");
    int result =
        lrc_reserve(plan, &setup->spans, plan->n_tensors * MOST * sizeof(lrc_span));
    if (result < 0) return result;

    lrc_span *const array = setup->spans.at;
    setup->n_spans = 0;
    const size_t n = list_arrays(plan, array);
    if ((result = disjoint(plan, array, n)) < 0) return result;
    lrc_span *const gradient = array + n;
    const size_t n_gradients = list_gradients(plan, gradient);
    if (setup->option[LRC_ZERO_GRADS] != 0)
        if ((result = disjoint(plan, gradient, n_gradients)) < 0) return result;
    for (size_t i = 0; i < n_gradients; i++)
        if ((result = apart(plan, gradient + i, array, n)) < 0) return result;
    setup->n_spans = n;
    return LRC_OK;
}

int lrc_check_gradient(lrc_plan *plan, size_t tensor, const void *g)
{
    const lrc_span span = span_of(plan, tensor, g, "g");
    if (!plan->setup->ready || plan->tensor[tensor].n == 0) return LRC_OK;
    return apart(plan, &span, plan->setup->spans.at, plan->setup->n_spans);
}

/* --- a tensor that is added ------------------------------------------------------- */

/* The largest power of 2 in n. */
static size_t first_run(size_t n)
{
    size_t run = 1;
    while (n / 2 >= run) run *= 2;
    return run;
}

/* LRC_OK if a span overlaps none that was added. */
static int apart_from_added(lrc_plan *plan, const lrc_span *span)
{
    const lrc_span *x = plan->setup->added.at;
    for (size_t run, left = plan->setup->n_added; left > 0; x += run, left -= run) {
        run = first_run(left);
        if (span->begin >= x[run - 1].end || span->end <= x[0].begin) continue;
        const int result = apart(plan, span, x, run);
        if (result < 0) return result;
    }
    return LRC_OK;
}

/* Sort two sorted runs, of `run` spans each. */
static void merge(lrc_span *x, size_t run, lrc_span *scratch)
{
    if (x[run - 1].begin <= x[run].begin) return;
    memcpy(scratch, x + run, run * sizeof *x);
    for (size_t i = run, k = run; k > 0;) {
        lrc_span *const to = x + i + k - 1;
        *to = i > 0 && x[i - 1].begin > scratch[k - 1].begin ? x[--i] : scratch[--k];
    }
}

/* Spans that were added are kept in sorted runs: the first has as many as the largest
 * power of 2 in their number, and so on with the rest.  So adding n spans takes n
 * log(n) moves; it would take n^2 to keep them in one sorted run. */
static void add_span(lrc_setup *setup, const lrc_span *span)
{
    lrc_span *const x = setup->added.at;
    const size_t were = setup->n_added++, n = setup->n_added;
    x[were] = *span;
    for (size_t run = 1; were & run; run *= 2) merge(x + n - 2 * run, run, x + n);
}

int lrc_add_spans(lrc_plan *plan)
{
    lrc_setup *setup = plan->setup;
    lrc_span own[LRC_MAX_STATES + 1];
    const size_t i = plan->n_tensors, n = list_tensor(plan, i, own);
    const lrc_span g = span_of(plan, i, plan->tensor[i].g, "g");
    if (n == 0) return LRC_OK;
    int result = disjoint(plan, own, n);
    if (result == LRC_OK) result = apart(plan, &g, own, n);
    if (result == LRC_OK) result = apart_from_added(plan, &g);
    for (size_t k = 0; k < n && result == LRC_OK; k++)
        result = apart_from_added(plan, own + k);
    if (result < 0) return result;

    /* Half as many again are the scratch of a merge. */
    const size_t needed = (setup->n_added + n) * 3 / 2 * sizeof *own;
    if (needed > setup->added.bytes &&
        (result = lrc_reserve(plan, &setup->added, 2 * needed)) < 0)
        return result;
    for (size_t k = 0; k < n; k++) add_span(setup, own + k);
    return LRC_OK;
}
