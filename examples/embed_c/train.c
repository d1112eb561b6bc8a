/* train.c: a network of 16 hidden units learns sin(x) by lrcore's Adam, without Python.
 *
 *     y = b2 + sum over k of w2[k] tanh(w1[k] x + b1[k])
 *
 * The loss is half the mean of (y - sin(x))^2 over 64 points.  The four parameters are
 * tensors of one plan: a step updates all of them, and clips their gradients by the
 * norm of all. */

#include <lrcore.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { HIDDEN = 16, POINTS = 64, STEPS = 2000 };

/* A parameter, its gradient, and Adam's states. */
typedef struct {
    float p[HIDDEN], g[HIDDEN], m[HIDDEN], v[HIDDEN];
} param;

static param w1, b1, w2, b2;

static void check(const lrc_plan *plan, int result)
{
    if (result >= 0) return;
    fprintf(stderr, "%s: %s\n", lrc_error_text(result), lrc_plan_error(plan));
    exit(1);
}

/* Numbers from -1 to 1, the same on every machine. */
static float uniform(void)
{
    static unsigned state = 1;
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / (float)(1 << 23) - 1;
}

/* Add the gradients of one point; return its error. */
static float backward(float x)
{
    float h[HIDDEN], y = b2.p[0];
    for (int k = 0; k < HIDDEN; k++) {
        h[k] = tanhf(w1.p[k] * x + b1.p[k]);
        y += w2.p[k] * h[k];
    }
    const float error = y - sinf(x), share = error / POINTS;
    b2.g[0] += share;
    for (int k = 0; k < HIDDEN; k++) {
        const float inside = share * w2.p[k] * (1 - h[k] * h[k]);
        w2.g[k] += share * h[k];
        b1.g[k] += inside;
        w1.g[k] += inside * x;
    }
    return error;
}

static float loss_and_gradients(void)
{
    float sum = 0;
    for (int i = 0; i < POINTS; i++) {
        const float error = backward(6.2831853f * (float)i / POINTS - 3.1415927f);
        sum += error * error;
    }
    return sum / (2 * POINTS);
}

static void add(lrc_plan *plan, int group, param *x, size_t n)
{
    void *states[] = {x->m, x->v};
    check(plan, lrc_plan_add_tensor(plan, group, LRC_F32, n, x->p, x->g, states, 2));
}

int main(void)
{
    lrc_plan *plan;
    if (lrc_plan_create(&plan, lrc_heap()) < 0) return 1;
    const int group = lrc_plan_add_group(plan, lrc_rule_id("adam"));
    check(plan, group);
    add(plan, group, &w1, HIDDEN);
    add(plan, group, &b1, HIDDEN);
    add(plan, group, &w2, HIDDEN);
    add(plan, group, &b2, 1);
    check(plan, lrc_plan_set_option(plan, "clip_norm", 1));
    check(plan, lrc_plan_set_option(plan, "zero_grads", 1)); /* for the next sums */
    for (int k = 0; k < HIDDEN; k++) {
        w1.p[k] = 2 * uniform();
        b1.p[k] = 2 * uniform();
        w2.p[k] = 0.25f * uniform();
    }

    for (int t = 0; t < STEPS; t++) {
        const double falling = 0.5 + 0.5 * cos(3.1415926535 * t / STEPS);
        check(plan, lrc_plan_set_hyper(plan, group, "lr", 0.02 * falling));
        const float loss = loss_and_gradients();
        if (t % 500 == 0) printf("step %4d   loss %.6f\n", t, loss);
        check(plan, lrc_plan_step(plan));
    }
    printf("step %4d   loss %.6f\n", STEPS, loss_and_gradients());
    lrc_plan_destroy(plan);
    return 0;
}
