/* refuse.c: what the functions of lrcore.h check, and the texts of their errors. */

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "setup.h"
#include "view.h"

const char *lrc_error_text(int code)
{
    switch (code) {
    case LRC_OK:
        return "done; of a step: skipped, since a gradient is not finite";
    case LRC_TAKEN:
        return "the step was taken";
    case LRC_REFUSED:
        return "refused: the plan is not complete, or cannot be changed so";
    case LRC_BAD_ARGUMENT:
        return "an argument is wrong";
    case LRC_NO_MEMORY:
        return "the allocator has no memory";
    default:
        return code > 0 ? "the number of a group, tensor or rule" : "no such error";
    }
}

int lrc_fail(lrc_plan *plan, int code, const char *format, ...)
{
    va_list rest;
    va_start(rest, format);
    vsnprintf(plan->setup->error, sizeof plan->setup->error, format, rest);
    va_end(rest);
    return code;
}

const char *lrc_plan_error(const lrc_plan *plan)
{
    if (lrc_check_plan(plan) < 0)
        return "plan: expected one of lrc_plan_create(), found none";
    return plan->setup->error;
}

/* --- domains ---------------------------------------------------------------------- */

static const char *const words[] = {
    [LRC_FINITE] = "a finite number",
    [LRC_NONNEGATIVE] = "a finite number >= 0",
    [LRC_POSITIVE] = "a finite number > 0",
    [LRC_FRACTION] = "a number in [0, 1)",
    [LRC_FLAG] = "0 or 1",
    [LRC_COUNT] = "a whole number, 0 to 2147483647",
};

static int is_in(lrc_domain domain, double x)
{
    const int finite = fabs(x) <= DBL_MAX;
    switch (domain) {
    case LRC_FINITE:
        return finite;
    case LRC_NONNEGATIVE:
        return finite && x >= 0;
    case LRC_POSITIVE:
        return finite && x > 0;
    case LRC_FRACTION:
        return x >= 0 && x < 1;
    case LRC_FLAG:
        return x == 0 || x == 1;
    case LRC_COUNT:
        return x >= 0 && x <= INT_MAX && x == (int)x;
    }
    return 0;
}

int lrc_check(lrc_plan *plan, const lrc_named *what, double value)
{
    if (is_in(what->domain, value)) return LRC_OK;
    return lrc_fail(plan, LRC_BAD_ARGUMENT, "%s: expected %s, found %g", what->name,
                    words[what->domain], value);
}

/* --- arguments -------------------------------------------------------------------- */

int lrc_check_plan(const lrc_plan *plan)
{
    return plan && plan->setup ? LRC_OK : LRC_BAD_ARGUMENT;
}

static int check_number(lrc_plan *plan, const char *what, int found, size_t n)
{
    if (found >= 0 && (size_t)found < n) return LRC_OK;
    if (n == 0)
        return lrc_fail(plan, LRC_BAD_ARGUMENT,
                        "%s: found %d, but the plan has none; add one first", what,
                        found);
    return lrc_fail(
        plan, LRC_BAD_ARGUMENT,
        "%s: expected a number from 0 to %zu, as it was returned when it was "
        "added, found %d",
        what, n - 1, found);
}

int lrc_check_group(lrc_plan *plan, int group)
{
    return check_number(plan, "group", group, plan->n_groups);
}

int lrc_check_tensor(lrc_plan *plan, int tensor)
{
    return check_number(plan, "tensor", tensor, plan->n_tensors);
}

const char *const lrc_state_names[LRC_MAX_STATES] = {"states[0]", "states[1]",
                                                     "states[2]", "states[3]"};

int lrc_check_array(lrc_plan *plan, const char *what, const void *array, size_t n,
                    lrc_dtype dtype)
{
    const size_t size = lrc_size_of(dtype);
    if (n == 0) return LRC_OK;
    if (!array)
        return lrc_fail(plan, LRC_BAD_ARGUMENT,
                        "%s: expected the address of %zu elements, found NULL", what,
                        n);
    if ((uintptr_t)array % size)
        return lrc_fail(
            plan, LRC_BAD_ARGUMENT,
            "%s: expected an address that is a multiple of %zu, the size of "
            "its elements, found %p",
            what, size, array);
    return LRC_OK;
}
