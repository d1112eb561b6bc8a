/* plan.c: what plan.h promises to what includes it.
 *
 * Each line that it prints, but "done", is a promise that did not hold. */

#include "plan.h"

#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static void check(int holds, int line, const char *what)
{
    if (holds) return;
    printf("plan.c:%d: %s\n", line, what);
    failures++;
}
#define CHECK(condition) check((condition), __LINE__, #condition)

/* --- a plan of several tensors ---------------------------------------------------- */

enum { MOST = 3, WORK = 1 << 16 };

/* A plan, and all that it points to: states begin as 0, the rest as little numbers. */
typedef struct {
    lrc_plan plan;
    lrc_tensor tensor[MOST];
    lrc_group group;
    lrc_report report[MOST];
    double sums[MOST][LRC_MAX_SUMS];
    lrc_side side[2];
    double work[WORK];
    double *memory; /* p, g, u, acc, two states and an average of each tensor */
    size_t bytes;
} world;

enum { P, G, U, ACC, S0, S1, AVERAGE, ARRAYS };

static double *array(const world *w, int tensor, int which)
{
    size_t at = 0;
    for (int i = 0; i < tensor; i++) at += ARRAYS * w->tensor[i].n;
    return w->memory + at + (size_t)which * w->tensor[tensor].n;
}

static void begin(world *w)
{
    const size_t bytes = lrc_plan_tensors(&w->plan);
    w->plan.work = bytes <= sizeof w->work ? w->work : NULL;
    CHECK(w->plan.work != NULL);
}

/* Tensors of so many doubles, in a group of plain descent by 0.5 times the gradient. */
static world *build(int count, const size_t *n)
{
    world *w = (world *)calloc(1, sizeof *w);
    size_t total = 0;
    w->plan.tensor = w->tensor;
    w->plan.n_tensors = (size_t)count;
    w->plan.group = &w->group;
    w->plan.n_groups = 1;
    for (int i = 0; i < count; i++) {
        w->tensor[i].n = n[i];
        total += ARRAYS * n[i];
    }
    w->bytes = total * sizeof(double);
    w->memory = (double *)calloc(total + 1, sizeof(double));
    for (int i = 0; i < count; i++) {
        lrc_tensor *t = w->tensor + i;
        for (size_t k = 0; k < n[i]; k++) {
            array(w, i, P)[k] = 1 + (double)(k % 5);
            array(w, i, G)[k] = k % 11 == 10 ? 1e-310 : (double)(k % 7) - 2.5;
        }
        t->dtype = LRC_F64;
        t->p = array(w, i, P);
        t->g = array(w, i, G);
        t->u = array(w, i, U);
        t->acc = array(w, i, ACC);
        t->s[0] = array(w, i, S0);
        t->s[1] = array(w, i, S1);
    }
    w->group.coef[0] = w->group.coef[2] = 1;
    w->group.coef[3] = 0.5;
    begin(w);
    return w;
}

static void end(world *w)
{
    free(w->memory);
    free(w);
}

/* Run a function that is to write nothing to any array but those of u. */
static int writes_nothing(world *w, int (*run)(lrc_plan *), int result)
{
    double *before = (double *)malloc(w->bytes + 1);
    int same = 1;
    memcpy(before, w->memory, w->bytes);
    CHECK(run(&w->plan) == result);
    for (int i = 0; i < (int)w->plan.n_tensors; i++)
        memcpy(before + (array(w, i, U) - w->memory), array(w, i, U),
               w->tensor[i].n * sizeof(double));
    same = memcmp(before, w->memory, w->bytes) == 0;
    free(before);
    return same;
}

static const size_t two[] = {2}, four[] = {4}, three_tensors[] = {5003, 1, 4097};

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

/* --- what the caller is asked for ------------------------------------------------- */

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

/* --- threads ---------------------------------------------------------------------- */

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
    what_is_answered_is_what_the_step_returns();
    a_step_goes_by_what_was_answered();
    any_number_of_threads_gives_the_same_bits(); /* before others make threads */
    any_rounding_of_the_caller_gives_the_same_bits();
    numbers_are_rounded_to_the_nearest_float();
    scales_do_not_round_as_the_caller_does();
    the_caller_is_asked_in_its_own_mode();
    if (failures == 0) printf("done\n");
    return failures > 0;
}
