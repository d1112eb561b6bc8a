/* plan_asks.c: what a step asks its caller, in which mode of rounding, and what it
 * makes of the answer. */

#include <fenv.h>

#include "world.h"

/* What the caller answers, and was asked for. */
typedef struct {
    int answer, times;
    lrc_ask asked;
    double seen; /* the first of the sums, or of u */
} asking;

static int ask(void *caller, lrc_plan *plan, lrc_ask what)
{
    asking *a = (asking *)caller;
    a->times++;
    a->asked = what;
    if (what == LRC_ASK_GAUGED) {
        a->seen = plan->gauge_sums[0];
        plan->group[0].coef[2] = 0.5;
        plan->group[0].coef[3] = 0.25;
    } else {
        a->seen = ((double *)plan->tensor[0].u)[0];
        for (size_t i = 0; i < plan->tensor[0].n; i++)
            ((double *)plan->tensor[0].u)[i] = 8;
    }
    return a->answer;
}

/* A plan that asks for this, with the states of a rule that has two. */
static world *build_asking(lrc_ask what, asking *a)
{
    world *w = build(1, four);
    for (int k = 0; k < 4; k++) array(w, 0, G)[k] = k + 1;
    w->group.rule = LRC_adam;
    w->group.coef[4] = w->group.coef[5] = w->group.coef[7] = w->group.coef[8] = 0.5;
    w->tensor[0].a[0] = array(w, 0, AVERAGE);
    w->group.average[0].weight = 0.5;
    w->plan.gauge_sums = w->sums[0];
    if (what == LRC_ASK_GAUGED) w->group.gauge = LRC_GAUGE_norm;
    if (what == LRC_ASK_DIRECTED) w->group.directed = 1;
    w->plan.ask = ask;
    w->plan.caller = a;
    return w;
}

static void what_is_answered_is_what_the_step_returns(void)
{
    for (int what = LRC_ASK_GAUGED; what <= LRC_ASK_DIRECTED; what++)
        for (int answer = LRC_REFUSED; answer <= LRC_TAKEN; answer++) {
            asking a = {answer, 0, LRC_ASK_GAUGED, 0};
            world *w = build_asking((lrc_ask)what, &a);
            CHECK(lrc_measure(&w->plan) == LRC_TAKEN && a.times == 0);
            CHECK(writes_nothing(w, lrc_step, answer) == (answer != LRC_TAKEN));
            CHECK(a.times == 1 && a.asked == (lrc_ask)what);
            CHECK((array(w, 0, S0)[0] != 0) == (answer == LRC_TAKEN));
            CHECK((array(w, 0, AVERAGE)[0] != 0) == (answer == LRC_TAKEN));
            w->plan.zero_grads = 1;
            CHECK(lrc_step(&w->plan) == answer);
            CHECK((array(w, 0, G)[0] == 0) == (answer != LRC_REFUSED));
            end(w);
        }
}

static void a_step_goes_by_what_was_answered(void)
{
    for (int what = LRC_ASK_GAUGED; what <= LRC_ASK_DIRECTED; what++) {
        asking a = {LRC_TAKEN, 0, LRC_ASK_GAUGED, 0};
        world *w = build_asking((lrc_ask)what, &a);
        w->group.rule = LRC_sgd;
        w->group.coef[4] = w->group.coef[5] = w->group.coef[7] = w->group.coef[8] = 0;
        CHECK(lrc_step(&w->plan) == LRC_TAKEN);
        /* p = 1, g = 1 */
        if (what == LRC_ASK_GAUGED) CHECK(a.seen == 30 && array(w, 0, P)[0] == 0.25);
        if (what == LRC_ASK_DIRECTED) CHECK(a.seen == 1 && array(w, 0, P)[0] == -3);
        end(w);
    }
}

/* What the caller is asked in: the step itself would flush this quotient to 0. */
static int seen_rounding;
static double seen_subnormal;

static int look(void *caller, lrc_plan *plan, lrc_ask what)
{
    volatile double least = 2.2250738585072014e-308;
    (void)caller, (void)plan, (void)what;
    seen_rounding = fegetround();
    seen_subnormal = least / 4;
    return LRC_TAKEN;
}

static void the_caller_is_asked_in_its_own_mode(void)
{
    for (int what = LRC_ASK_GAUGED; what <= LRC_ASK_DIRECTED; what++)
        for (int threads = 1; threads <= 2; threads++) {
            asking a = {LRC_TAKEN, 0, LRC_ASK_GAUGED, 0};
            world *w = build_asking((lrc_ask)what, &a);
            w->plan.ask = look;
            w->plan.parallel_from = 1;
            w->plan.num_threads = threads;
            seen_rounding = -1;
            seen_subnormal = 0;
            fesetround(FE_DOWNWARD);
            CHECK(lrc_step(&w->plan) == LRC_TAKEN);
            fesetround(FE_TONEAREST);
            CHECK(seen_rounding == FE_DOWNWARD);
            CHECK(seen_subnormal > 0);
            end(w);
        }
}

int main(void)
{
    what_is_answered_is_what_the_step_returns();
    a_step_goes_by_what_was_answered();
    the_caller_is_asked_in_its_own_mode();
    return checked();
}
