/* surface.c: an optimizer's steps over a loss of two parameters (docs/live/surface.md).
 *
 * It is compiled with the core to WebAssembly, and surface.js calls it: begin(), then
 * step(), after each of which point() has x, y and the gradient there.  The losses take
 * nothing but + - *, so that Python finds the same bits. */

#include <lrcore.h>

#define EXPORT(name) __attribute__((export_name(#name), visibility("default"))) name

typedef struct {
    const char *name, *formula;
    double (*loss)(double x, double y);
    void (*gradient)(double x, double y, double *g);
    double place[6]; /* left, right, bottom, top; where a path starts */
} surface;

static double ravine(double x, double y) { return (x * x + 10 * y * y) / 2; }

static void ravine_gradient(double x, double y, double *g)
{
    g[0] = x;
    g[1] = 10 * y;
}

/* H. H. Rosenbrock, "An automatic method for finding the greatest or least value of a
 * function", The Computer Journal 3 (1960). */
static double rosenbrock(double x, double y)
{
    const double along = 1 - x, across = y - x * x;
    return along * along + 100 * across * across;
}

static void rosenbrock_gradient(double x, double y, double *g)
{
    const double along = 1 - x, across = y - x * x;
    g[0] = -2 * along - 400 * x * across;
    g[1] = 200 * across;
}

static double saddle(double x, double y)
{
    return (x * x - y * y) / 2 + y * y * y * y / 4;
}

static void saddle_gradient(double x, double y, double *g)
{
    g[0] = x;
    g[1] = y * y * y - y;
}

static const surface SURFACES[] = {
    {"ravine",
     "(x² + 10 y²) / 2",
     ravine,
     ravine_gradient,
     {-2.5, 2.5, -1.5, 1.5, -2, 0.8}},
    {"Rosenbrock's valley",
     "(1 - x)² + 100 (y - x²)²",
     rosenbrock,
     rosenbrock_gradient,
     {-2, 2, -1, 3, -1.2, 2}},
    {"saddle",
     "(x² - y²) / 2 + y⁴ / 4",
     saddle,
     saddle_gradient,
     {-2, 2, -1.6, 1.6, -1.5, 0.01}},
};
enum { N_SURFACES = sizeof SURFACES / sizeof *SURFACES, MAX_STATES = 4 };

int EXPORT(surface_count)(void) { return N_SURFACES; }
const char *EXPORT(surface_name)(int k) { return SURFACES[k].name; }
const char *EXPORT(surface_formula)(int k) { return SURFACES[k].formula; }
const double *EXPORT(surface_place)(int k) { return SURFACES[k].place; }
double EXPORT(surface_loss)(int k, double x, double y)
{
    return SURFACES[k].loss(x, y);
}

/* The run: params, their gradient and states, in a plan. */
static lrc_plan *plan;
static const surface *on;
static double values[4], states[MAX_STATES][2]; /* values: x, y and the gradient */

const double *EXPORT(point)(void) { return values; }
const char *EXPORT(error)(void) { return lrc_plan_error(plan); }

int EXPORT(rule_count)(void) { return lrc_rule_count(); }
const char *EXPORT(rule_name)(int rule) { return lrc_rule_name(rule); }

/* Whether a step of the rule takes hyper-parameters, and not coefficients. */
int EXPORT(rule_is_usable)(int rule) { return lrc_rule_hyper(rule, 0) != NULL; }

static int refused(int result) { return result < 0; }

/* Begin a path; lr = 0 means the rule's own rate.  Return the rate, or -1. */
double EXPORT(begin)(int k, int rule, double x, double y, double lr)
{
    void *arrays[MAX_STATES];
    lrc_plan_destroy(plan);
    plan = NULL;
    if (refused(lrc_plan_create(&plan, lrc_heap()))) return -1;
    const int group = lrc_plan_add_group(plan, rule);
    if (refused(group)) return -1;
    if (lr > 0 && refused(lrc_plan_set_hyper(plan, group, "lr", lr))) return -1;
    on = &SURFACES[k];
    values[0] = x;
    values[1] = y;
    for (int i = 0; i < MAX_STATES; i++) {
        /* Yogi's states begin as 1e-6: docs/reference/c_api.md. */
        states[i][0] = states[i][1] = rule == lrc_rule_id("yogi") ? 1e-6 : 0;
        arrays[i] = states[i];
    }
    const int n_states = lrc_rule_n_states(rule);
    if (refused(lrc_plan_add_tensor(plan, group, LRC_F64, 2, values, values + 2, arrays,
                                    n_states)))
        return -1;
    return refused(lrc_plan_get_hyper(plan, group, "lr", &lr)) ? -1 : lr;
}

/* Take a step; return what lrc_plan_step() does. */
int EXPORT(step)(void)
{
    on->gradient(values[0], values[1], values + 2);
    return lrc_plan_step(plan);
}
