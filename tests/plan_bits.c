/* plan_bits.c: a step gives the same bits by any number of threads, and in any mode of
 * rounding of its caller. */

#include <fenv.h>

#include "world.h"

/* All that steps by so many threads leave behind, taken in this mode of rounding. */
static world *stepped(int threads, int rounding, lrc_gauge gauge)
{
    world *w = build(3, three_tensors);
    w->group.rule = LRC_adam;
    w->group.coef[4] = w->group.coef[5] = w->group.coef[7] = 0.3;
    w->group.coef[8] = 0.1;
    w->group.gauge = gauge;
    w->group.average[0].weight = 0.3;
    for (int i = 0; i < 3; i++) w->tensor[i].a[0] = array(w, i, AVERAGE);
    for (int i = 0; i < 3; i++) w->tensor[i].gauged[0] = array(w, i, S0);
    for (int i = 0; i < 3; i++) w->tensor[i].gauged[1] = array(w, i, S1);
    w->group.gauge_coef[0] = w->group.gauge_coef[1] = w->group.gauge_coef[2] = 0.7;
    w->plan.gauge_sums = w->sums[0];
    w->plan.report = w->report;
    w->plan.clip_norm = 0.7;
    w->plan.grad_scale = 1.1;
    w->plan.parallel_from = 1;
    w->plan.num_threads = threads;
    fesetround(rounding);
    for (int t = 0; t < 3; t++) CHECK(lrc_step(&w->plan) == LRC_TAKEN);
    CHECK(fegetround() == rounding);
    fesetround(FE_TONEAREST);
    return w;
}

static void check_same(const world *a, const world *b)
{
    CHECK(memcmp(a->memory, b->memory, b->bytes) == 0);
    CHECK(memcmp(a->report, b->report, sizeof b->report) == 0);
    CHECK(memcmp(a->sums, b->sums, sizeof b->sums) == 0);
}

/* Have threads made that keep subnormals, unless there are some already: new ones begin
 * in the mode of the thread that makes them. */
static void make_other_threads(void)
{
    world *w = build(3, three_tensors);
    w->plan.parallel_from = 1;
    w->plan.num_threads = 8;
    w->plan.keep_subnormals = 1;
    CHECK(lrc_step(&w->plan) == LRC_TAKEN);
    end(w);
}

static void any_number_of_threads_gives_the_same_bits(void)
{
    static const int threads[] = {8, 5, 3, 2};
    make_other_threads();
    world *one = stepped(1, FE_TONEAREST, LRC_GAUGE_norm);
    for (int i = 0; i < 4; i++) {
        world *w = stepped(threads[i], FE_TONEAREST, LRC_GAUGE_norm);
        check_same(w, one);
        end(w);
    }
    for (int i = 0; i < 3; i++) CHECK(one->sums[i][0] > 0 && one->report[i].u.mid > 0);
    end(one);
}

static void any_rounding_of_the_caller_gives_the_same_bits(void)
{
    for (int gauge = LRC_NO_GAUGE; gauge < LRC_N_GAUGES; gauge++)
        for (int threads = 1; threads <= 2; threads++) {
            world *nearest = stepped(threads, FE_TONEAREST, (lrc_gauge)gauge);
            world *upward = stepped(threads, FE_UPWARD, (lrc_gauge)gauge);
            check_same(upward, nearest);
            CHECK((nearest->sums[0][0] != 0) == (gauge != LRC_NO_GAUGE));
            end(upward);
            end(nearest);
        }
}

static void numbers_are_rounded_to_the_nearest_float(void)
{
    float p = 0, g = 1;
    world *w = build(1, two);
    w->tensor[0].dtype = LRC_F32;
    w->tensor[0].n = 1;
    w->tensor[0].p = &p;
    w->tensor[0].g = &g;
    w->group.coef[3] = 0.4; /* the nearest float is above it */
    begin(w);
    fesetround(FE_TOWARDZERO);
    CHECK(lrc_step(&w->plan) == LRC_TAKEN);
    fesetround(FE_TONEAREST);
    CHECK(p == -0.4f);
    end(w);
}

/* One tensor, clipped by its own norm and by its units, and scaled. */
static world *scaled(int rounding, lrc_scale scale, double *state)
{
    world *w = build(1, three_tensors);
    *state = 0.3;
    w->tensor[0].scale_state = state;
    w->tensor[0].units.outer = 5003;
    w->tensor[0].units.reduced = 1;
    w->tensor[0].units.inner = 1;
    w->group.scale = scale;
    for (int k = 0; k < LRC_MAX_SCALE_COEFS; k++) w->group.scale_coef[k] = 0.7;
    w->group.clip_norm = 0.9;
    w->group.agc = 0.3;
    w->group.agc_eps = 1e-3;
    w->plan.clip_norm = 0.7;
    fesetround(rounding);
    for (int t = 0; t < 3; t++) CHECK(lrc_step(&w->plan) == LRC_TAKEN);
    fesetround(FE_TONEAREST);
    return w;
}

static void scales_do_not_round_as_the_caller_does(void)
{
    for (int scale = LRC_NO_SCALE; scale < LRC_N_SCALES; scale++) {
        double states[2];
        world *nearest = scaled(FE_TONEAREST, (lrc_scale)scale, states);
        world *upward = scaled(FE_UPWARD, (lrc_scale)scale, states + 1);
        check_same(upward, nearest);
        CHECK(states[0] == states[1]);
        end(upward);
        end(nearest);
    }
}

int main(void)
{
    any_number_of_threads_gives_the_same_bits(); /* before others make threads */
    any_rounding_of_the_caller_gives_the_same_bits();
    numbers_are_rounded_to_the_nearest_float();
    scales_do_not_round_as_the_caller_does();
    return checked();
}
