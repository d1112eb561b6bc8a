/* fold.c: hyper-parameters, and the coefficients that a step makes of them.
 *
 * The optimizers of lrcore/optimizers/ fold the same numbers by the same operations, in
 * torch's convention.  Differences are rounded before they are used: a contracted
 * product would give other bits. */

#include <math.h>

#include "setup.h"

typedef struct {
    double lr; /* the default */
    lrc_named own[LRC_MAX_HYPERS - LRC_OWN_HYPER];
    /* Makes the rule's coefficients c of its own hyper-parameters h in step t; lr: from
     * the rate to the driver's lr; decay: the driver's. */
    void (*fold)(const double *h, double t, double decay, double *lr, double *c);
} folding;

/* --- gradients -------------------------------------------------------------------- */

static void fold_sgd(const double *h, double t, double decay, double *lr, double *c)
{
    (void)h, (void)t, (void)decay, (void)lr, (void)c;
}

/* h: momentum, dampening; the first step begins with m = g */
static void fold_momentum(const double *h, double t, double decay, double *lr,
                          double *c)
{
    (void)decay, (void)lr;
    c[0] = t == 1 ? 0 : h[0];
    c[1] = t == 1 ? 1 : 1 - h[1];
}

static void fold_nesterov(const double *h, double t, double decay, double *lr,
                          double *c)
{
    (void)decay, (void)lr;
    c[0] = t == 1 ? 0 : h[0];
    c[1] = c[2] = 1;
    c[3] = h[0];
}

static void fold_signum(const double *h, double t, double decay, double *lr, double *c)
{
    (void)t, (void)decay, (void)lr;
    c[0] = 1 - h[0];
}

static void fold_lion(const double *h, double t, double decay, double *lr, double *c)
{
    (void)t, (void)decay, (void)lr;
    c[0] = 1 - h[0];
    c[1] = 1 - h[1];
}

/* --- Adam and what shares its moments; h: beta1, beta2, eps ----------------------- */

/* 1 - b^t, which is 1 where b^t <= exp(-t (1 - b)) < 2^-54.  There pow() would take
 * time, and 70 ns more where it underflows. */
static double bias(double b, double t) { return t * (1 - b) > 38 ? 1 : 1 - pow(b, t); }

static void fold_adam(const double *h, double t, double decay, double *lr, double *c)
{
    const double bias2 = bias(h[1], t);
    (void)decay;
    *lr = *lr / bias(h[0], t);
    c[0] = 1 - h[0];
    c[1] = 1 - h[1];
    c[2] = 0;
    c[3] = 1 / sqrt(bias2);
    c[4] = h[2];
}

static void fold_amsgrad(const double *h, double t, double decay, double *lr, double *c)
{
    fold_adam(h, t, decay, lr, c);
    c[5] = 1;
}

static void fold_adabelief(const double *h, double t, double decay, double *lr,
                           double *c)
{
    fold_adam(h, t, decay, lr, c);
    c[5] = h[2];
}

/* p decays after the step */
static void fold_laprop(const double *h, double t, double decay, double *lr, double *c)
{
    *lr = *lr * decay;
    fold_adam(h, t, decay, lr, c);
}

static void fold_adamax(const double *h, double t, double decay, double *lr, double *c)
{
    (void)decay;
    *lr = *lr / bias(h[0], t);
    c[0] = 1 - h[0];
    c[1] = h[1];
    c[2] = h[2];
    c[3] = 0;
}

/* --- roots of squared gradients --------------------------------------------------- */

/* h: lr_decay, eps */
static void fold_adagrad(const double *h, double t, double decay, double *lr, double *c)
{
    (void)decay;
    *lr = *lr / (1 + (t - 1) * h[0]);
    c[0] = 0;
    c[1] = h[1];
}

/* h: alpha, eps */
static void fold_rmsprop(const double *h, double t, double decay, double *lr, double *c)
{
    (void)t, (void)decay, (void)lr;
    c[0] = 1 - h[0];
    c[1] = 0;
    c[2] = h[1];
}

/* h: alpha, eps, momentum */
static void fold_rmsprop_momentum(const double *h, double t, double decay, double *lr,
                                  double *c)
{
    fold_rmsprop(h, t, decay, lr, c);
    c[3] = h[2];
    c[4] = 1;
}

/* h: rho, eps */
static void fold_adadelta(const double *h, double t, double decay, double *lr,
                          double *c)
{
    (void)t, (void)decay, (void)lr;
    c[0] = 1 - h[0];
    c[1] = h[1];
}

/* --- the tables ------------------------------------------------------------------- */

static const lrc_named common[LRC_OWN_HYPER] = {
    [LRC_LR] = {"lr", LRC_NONNEGATIVE, 0}, /* the default is the rule's */
    [LRC_WEIGHT_DECAY] = {"weight_decay", LRC_NONNEGATIVE, 0},
    [LRC_L2] = {"l2", LRC_NONNEGATIVE, 0},
    [LRC_MAXIMIZE] = {"maximize", LRC_FLAG, 0},
    [LRC_CLIP_VALUE] = {"clip_value", LRC_NONNEGATIVE, 0},
    [LRC_EMA_DECAY] = {"ema_decay", LRC_FRACTION, 0.999},
};

#define BETAS(b1, b2)                                                                  \
    {"beta1", LRC_FRACTION, b1}, { "beta2", LRC_FRACTION, b2 }
#define EPS(eps) {"eps", LRC_NONNEGATIVE, eps}
#define MOMENTUM {"momentum", LRC_NONNEGATIVE, 0.9}
#define RMSPROP  {"alpha", LRC_FRACTION, 0.99}, EPS(1e-8)

static const folding folds[LRC_N_RULES] = {
    [LRC_sgd] = {1e-3, {{0}}, fold_sgd},
    [LRC_momentum] = {1e-3, {MOMENTUM, {"dampening", LRC_FINITE, 0}}, fold_momentum},
    [LRC_nesterov] = {1e-3, {MOMENTUM}, fold_nesterov},
    [LRC_sign] = {1e-3, {{0}}, fold_sgd},
    [LRC_signum] = {1e-3, {{"momentum", LRC_FRACTION, 0.9}}, fold_signum},
    [LRC_lion] = {1e-4, {BETAS(0.9, 0.99)}, fold_lion},
    [LRC_adam] = {1e-3, {BETAS(0.9, 0.999), EPS(1e-8)}, fold_adam},
    [LRC_amsgrad] = {1e-3, {BETAS(0.9, 0.999), EPS(1e-8)}, fold_amsgrad},
    [LRC_laprop] = {4e-4, {BETAS(0.9, 0.999), EPS(1e-15)}, fold_laprop},
    [LRC_adabelief] = {1e-3, {BETAS(0.9, 0.999), EPS(1e-16)}, fold_adabelief},
    [LRC_yogi] = {1e-2, {BETAS(0.9, 0.999), EPS(1e-3)}, fold_adam},
    [LRC_adamax] = {2e-3, {BETAS(0.9, 0.999), EPS(1e-8)}, fold_adamax},
    [LRC_adagrad] = {1e-2,
                     {{"lr_decay", LRC_NONNEGATIVE, 0}, EPS(1e-10)},
                     fold_adagrad},
    [LRC_rmsprop] = {1e-2, {RMSPROP}, fold_rmsprop},
    [LRC_rmsprop_centered] = {1e-2, {RMSPROP}, fold_rmsprop},
    [LRC_rmsprop_momentum] = {1e-2, {RMSPROP, MOMENTUM}, fold_rmsprop_momentum},
    [LRC_rmsprop_centered_momentum] = {1e-2,
                                       {RMSPROP, MOMENTUM},
                                       fold_rmsprop_momentum},
    [LRC_adadelta] = {1.0, {{"rho", LRC_FRACTION, 0.9}, EPS(1e-6)}, fold_adadelta},
};

const lrc_named *lrc_hyper_of(lrc_rule rule, int i)
{
    const folding *f = folds + rule;
    if (!f->fold || i >= LRC_MAX_HYPERS) return NULL;
    if (i < LRC_OWN_HYPER) return common + i;
    return f->own[i - LRC_OWN_HYPER].name ? f->own + i - LRC_OWN_HYPER : NULL;
}

double lrc_usual_hyper(lrc_rule rule, int i)
{
    return i == LRC_LR ? folds[rule].lr : lrc_hyper_of(rule, i)->usual;
}

void lrc_fold(lrc_group *group, const double *hyper, double t)
{
    const double decay = 1 - hyper[LRC_LR] * hyper[LRC_WEIGHT_DECAY];
    double lr = hyper[LRC_LR];
    folds[group->rule].fold(hyper + LRC_OWN_HYPER, t, decay, &lr,
                            group->coef + LRC_RULE_COEFS);
    group->coef[0] = hyper[LRC_MAXIMIZE] != 0 ? -1 : 1;
    group->coef[1] = hyper[LRC_L2];
    group->coef[2] = decay;
    group->coef[3] = lr;
    group->clip_value = hyper[LRC_CLIP_VALUE];
    group->average[0].weight = t == 1 ? 1 : 1 - hyper[LRC_EMA_DECAY];
}
