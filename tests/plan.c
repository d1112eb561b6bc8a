/* plan.c: what each field of plan.h makes a step do, and what it leaves alone. */

#include <math.h>

#include "world.h"

/* --- what 0 means ----------------------------------------------------------------- */

static void a_plan_of_zeros_steps(void)
{
    world *w = build(1, two);
    CHECK(w->plan.grad_scale == 0 && w->plan.parallel_from == 0);
    CHECK(lrc_step(&w->plan) == LRC_TAKEN);
    CHECK(array(w, 0, P)[0] == 1 + 0.5 * 2.5 && array(w, 0, P)[1] == 2 + 0.5 * 1.5);
    w->plan.grad_scale = 2;
    CHECK(lrc_step(&w->plan) == LRC_TAKEN);
    CHECK(array(w, 0, P)[0] == 1 + 1.5 * 2.5 && array(w, 0, P)[1] == 2 + 1.5 * 1.5);
    end(w);
}

static void a_plan_of_nothing_steps(void)
{
    lrc_plan plan;
    double work[1];
    memset(&plan, 0, sizeof plan);
    CHECK(lrc_plan_tensors(&plan) == 0);
    plan.work = work;
    CHECK(lrc_step(&plan) == LRC_TAKEN);
}

static void without_work_a_plan_is_refused(void)
{
    world *w = build(1, two);
    w->plan.work = NULL;
    w->plan.report = w->report;
    w->report[0].nonfinite = 77;
    CHECK(writes_nothing(w, lrc_step, LRC_REFUSED));
    CHECK(writes_nothing(w, lrc_measure, LRC_REFUSED));
    CHECK(writes_nothing(w, lrc_clip, LRC_REFUSED));
    CHECK(lrc_gather(&w->plan, 1) == LRC_REFUSED);
    CHECK(w->report[0].nonfinite == 77);
    end(w);
}

/* --- reports, measuring, clipping, gathering -------------------------------------- */

static void a_plan_with_a_report_steps_and_reports(void)
{
    world *w = build(1, two);
    double *p = array(w, 0, P), *g = array(w, 0, G);
    p[0] = 1, p[1] = 2, g[0] = 6, g[1] = -8;
    w->plan.report = w->report;
    CHECK(lrc_step(&w->plan) == LRC_TAKEN);
    CHECK(p[0] == -2 && p[1] == 6);
    CHECK(lrc_norm(&w->report[0].g) == 10 && lrc_norm(&w->report[0].clipped) == 10);
    CHECK(w->report[0].p.mid == 40 && lrc_norm(&w->report[0].u) == 5);
    CHECK(w->report[0].nonfinite == 0);
    g[1] = INFINITY;
    CHECK(lrc_step(&w->plan) == LRC_TAKEN);
    CHECK(w->report[0].nonfinite == 1);
    end(w);
}

static void measuring_writes_what_it_reads_alone(void)
{
    world *w = build(1, two);
    double *p = array(w, 0, P), *g = array(w, 0, G);
    p[0] = 1, p[1] = 2, g[0] = 6, g[1] = -8;
    w->plan.report = w->report;
    w->plan.clip_norm = 5;
    w->plan.gauge_sums = w->sums[0];
    w->group.gauge = LRC_GAUGE_norm;
    w->report[0].p.mid = 77;
    CHECK(writes_nothing(w, lrc_measure, LRC_TAKEN));
    CHECK(lrc_norm(&w->report[0].g) == 10 && lrc_norm(&w->report[0].clipped) == 5);
    CHECK(w->report[0].p.mid == 77 && lrc_norm(&w->report[0].u) == 0);
    CHECK(w->sums[0][0] == 25); /* as clipped */
    g[0] = NAN;
    w->plan.skip_nonfinite = 1;
    CHECK(writes_nothing(w, lrc_measure, LRC_SKIPPED));
    CHECK(w->report[0].nonfinite == 1);
    end(w);
}

/* A matrix of rows (1, 2) and (3, 4), whose second moment has two sides of 0. */
static void factor(world *w, lrc_factoring factoring)
{
    for (int k = 0; k < 4; k++) array(w, 0, G)[k] = k + 1;
    w->group.factoring = factoring;
    for (int k = 0; k < 2; k++) {
        w->side[k].x = array(w, 0, S0) + 2 * k;
        w->side[k].n = 2;
    }
    w->tensor[0].factors.side = w->side;
    w->tensor[0].factors.n_sides = 2;
    begin(w);
}

static int near(double x, double y) { return fabs(x - y) < 1e-15 * fabs(y); }

static void a_factored_step_changes_the_sides(void)
{
    world *w = build(1, four);
    const double *side = array(w, 0, S0), *p = array(w, 0, P);
    factor(w, LRC_PRODUCT);
    w->group.factor_coef[0] = 0.5; /* of means of (2.5, 12.5) and (5, 10) */
    CHECK(writes_nothing(w, lrc_measure, LRC_TAKEN));
    w->group.coef[2] = 0, w->group.coef[3] = -1;
    CHECK(lrc_step(&w->plan) == LRC_TAKEN);
    CHECK(side[0] == 1.25 && side[1] == 6.25 && side[2] == 2.5 && side[3] == 5);
    CHECK(near(p[3], 4 / sqrt(6.25 * 5 / 3.75)));
    w->group.factoring = LRC_LEAST;
    w->group.factor_coef[0] = 1;
    CHECK(lrc_step(&w->plan) == LRC_TAKEN);
    CHECK(side[0] == 5.25 && side[1] == 21 && side[2] == 11.5 && side[3] == 21);
    CHECK(near(p[0], 1 / sqrt(1.25 + 1 + 1)));
    end(w);
}

static void clipping_writes_gradients_alone(void)
{
    world *w = build(1, two);
    double *g = array(w, 0, G);
    g[0] = 6, g[1] = -8;
    w->plan.report = w->report;
    w->plan.clip_norm = 5;
    CHECK(lrc_clip(&w->plan) == LRC_TAKEN);
    CHECK(g[0] == 3 && g[1] == -4);
    CHECK(lrc_norm(&w->report[0].g) == 10 && lrc_norm(&w->report[0].clipped) == 5);
    w->plan.clip_norm = 0;
    w->group.clip_value = 3.5;
    CHECK(lrc_clip(&w->plan) == LRC_TAKEN);
    CHECK(g[0] == 3 && g[1] == -3.5);
    CHECK(array(w, 0, P)[0] == 1 && array(w, 0, P)[1] == 2);
    end(w);
}

static void what_is_gathered_is_added(void)
{
    world *w = build(1, two);
    double *p = array(w, 0, P), *g = array(w, 0, G), *acc = array(w, 0, ACC);
    g[0] = 3, g[1] = 4, acc[0] = acc[1] = NAN;
    CHECK(lrc_gather(&w->plan, 1) == LRC_TAKEN);
    CHECK(acc[0] == 3 && acc[1] == 4);
    CHECK(lrc_gather(&w->plan, 0) == LRC_TAKEN);
    CHECK(acc[0] == 6 && acc[1] == 8 && p[0] == 1 && p[1] == 2);
    w->plan.gathered = 1;
    CHECK(lrc_step(&w->plan) == LRC_TAKEN);
    CHECK(p[0] == 1 - 0.5 * 9 && p[1] == 2 - 0.5 * 12);
    end(w);
}

static void averages_can_be_updated_after_the_step(void)
{
    world *w = build(1, two);
    double *p = array(w, 0, P), *a = array(w, 0, AVERAGE);
    w->tensor[0].a[0] = a;
    w->group.average[0].weight = 0.5;
    w->plan.averages_later = 1;
    CHECK(lrc_step(&w->plan) == LRC_TAKEN);
    CHECK(a[0] == 0 && a[1] == 0);
    p[0] = 4;
    CHECK(lrc_update_averages(&w->plan) == LRC_TAKEN);
    CHECK(a[0] == 2 && a[1] == 0.5 * p[1] && p[0] == 4);
    w->group.average[0].pulls = 1;
    CHECK(lrc_update_averages(&w->plan) == LRC_TAKEN);
    CHECK(a[0] == 3 && p[0] == 3);
    w->plan.work = NULL;
    CHECK(lrc_update_averages(&w->plan) == LRC_REFUSED);
    end(w);
}

static void new_arrays_are_zeroed_and_others_stay(void)
{
    static const size_t long_and_short[] = {3 * LRC_STRIP, 4};
    world *w = build(2, long_and_short);
    for (size_t k = 0; k < w->bytes / sizeof(double); k++) w->memory[k] = 7;
    w->tensor[0].before =
        LRC_STRIP; /* a process of several: it has one strip of three */
    w->tensor[0].after = LRC_STRIP;
    w->tensor[0].a[0] = array(w, 0, AVERAGE);
    w->tensor[1].s[1] = NULL;
    begin(w);
    CHECK(lrc_zero_arrays(&w->plan) == LRC_TAKEN);
    for (int i = 0; i < 2; i++)
        for (int which = P; which < ARRAYS; which++) {
            const int zeroed = which >= U && which <= (i == 0 ? AVERAGE : S0);
            const size_t n = zeroed ? (i == 0 ? LRC_STRIP : 4) : 0;
            for (size_t k = 0; k < w->tensor[i].n; k++)
                CHECK(array(w, i, which)[k] == (k < n ? 0 : 7));
        }
    end(w);
}

static void changes_are_summed_by_strip(void)
{
    static const size_t n[] = {3 * LRC_STRIP};
    world *w = build(1, n);
    double *p = array(w, 0, P), *g = array(w, 0, G), *acc = array(w, 0, ACC);
    double *last_p = array(w, 0, S0), *last_g = array(w, 0, S1);
    double sums[2 * LRC_CHANGES];
    for (size_t k = 0; k < n[0]; k++) p[k] = 3, g[k] = 4, acc[k] = 2, last_p[k] = 1;
    w->tensor[0].before =
        LRC_STRIP; /* a process of several: it has two strips of three */
    begin(w);
    lrc_sum_changes(w->tensor, acc, 0.5, last_p, last_g, sums);
    for (int strip = 0; strip < 2; strip++) {
        CHECK(sums[LRC_CHANGES * strip] == LRC_STRIP * 2.0 * 3);
        CHECK(sums[LRC_CHANGES * strip + 1] == LRC_STRIP * 2.0 * 2);
        CHECK(sums[LRC_CHANGES * strip + 2] == 0);
    }
    for (size_t k = 0; k < n[0]; k++) {
        const int own = k < 2 * LRC_STRIP;
        CHECK(last_p[k] == (own ? 3 : 1) && last_g[k] == (own ? 3 : 0));
    }
    lrc_sum_changes(w->tensor, NULL, 1, last_p, last_g, sums);
    CHECK(sums[0] == 0 && sums[1] == 0 && last_g[0] == 4);
    end(w);
}

static void a_skipped_step_writes_zeroed_gradients_alone(void)
{
    world *w = build(1, two);
    double *g = array(w, 0, G);
    g[0] = NAN;
    w->plan.skip_nonfinite = 1;
    CHECK(writes_nothing(w, lrc_step, LRC_SKIPPED));
    w->plan.zero_grads = 1;
    CHECK(lrc_step(&w->plan) == LRC_SKIPPED);
    CHECK(g[0] == 0 && g[1] == 0);
    CHECK(array(w, 0, P)[0] == 1 && array(w, 0, P)[1] == 2);
    end(w);
}

int main(void)
{
    a_plan_of_zeros_steps();
    a_plan_of_nothing_steps();
    without_work_a_plan_is_refused();
    a_plan_with_a_report_steps_and_reports();
    measuring_writes_what_it_reads_alone();
    a_factored_step_changes_the_sides();
    clipping_writes_gradients_alone();
    what_is_gathered_is_added();
    averages_can_be_updated_after_the_step();
    new_arrays_are_zeroed_and_others_stay();
    changes_are_summed_by_strip();
    a_skipped_step_writes_zeroed_gradients_alone();
    return checked();
}
