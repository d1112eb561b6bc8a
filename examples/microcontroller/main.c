/* main.c: a network with two inputs, 8 hidden units and one output learns XOR.
 *
 * It prints the loss before and after, then the bits of each parameter, which are the
 * same on each machine. */

#include <stdint.h>
#include <string.h>

#include "rule.h"
#include "say.h"

enum { HIDDEN = 8, PARAMS = 4 * HIDDEN + 1, STEPS = 100 };

/* Hidden unit j has two weights, a bias and the output's weight for it. */
static float p[PARAMS], g[PARAMS], m[PARAMS], v[PARAMS];

/* The loss of one example, half the squared error; its gradient is added to g. */
static float learn(float x0, float x1, float wanted)
{
    float y = p[PARAMS - 1], h[HIDDEN], slope[HIDDEN];
    for (int j = 0; j < HIDDEN; j++) {
        const float *w = p + 4 * j;
        const float a = w[0] * x0 + w[1] * x1 + w[2];
        const float under = 1 / (1 + (a < 0 ? -a : a));
        h[j] = a * under; /* softsign */
        slope[j] = under * under;
        y += w[3] * h[j];
    }
    const float error = y - wanted;
    for (int j = 0; j < HIDDEN; j++) {
        const float back = error * p[4 * j + 3] * slope[j];
        g[4 * j] += back * x0;
        g[4 * j + 1] += back * x1;
        g[4 * j + 2] += back;
        g[4 * j + 3] += error * h[j];
    }
    g[PARAMS - 1] += error;
    return error * error / 2;
}

static float learn_all(void)
{
    float loss = 0;
    memset(g, 0, sizeof g);
    for (int i = 0; i < 4; i++)
        loss += learn((float)(i & 1), (float)(i >> 1), i == 1 || i == 2);
    return loss;
}

/* Say a number with so many digits to this base. */
static void say_number(uint32_t x, uint32_t base, int digits)
{
    char text[16] = {0};
    for (int k = digits - 1; k >= 0; k--, x /= base)
        text[k] = "0123456789abcdef"[x % base];
    say(text);
}

static void say_loss(float loss)
{
    const uint32_t millionths = (uint32_t)(loss * 1e6f);
    say_number(millionths / 1000000, 10, 1);
    say(".");
    say_number(millionths % 1000000, 10, 6);
}

int main(void)
{
    adam a = {.lr = 0.03f, .b1 = 0.9f, .b2 = 0.999f, .eps = 1e-8f};
    uint32_t random = 1;

    for (int i = 0; i < PARAMS; i++) { /* in [-1, 1), by a linear congruence */
        random = 1664525 * random + 1013904223;
        p[i] = (float)(random >> 8) * 0x1p-23f - 1;
    }
    say("loss ");
    say_loss(learn_all());
    for (int t = 0; t < STEPS; t++) {
        learn_all();
        adam_step(&a, p, g, m, v, PARAMS);
    }
    say(" to ");
    say_loss(learn_all());
    say("\n");
    for (int i = 0; i < PARAMS; i++) {
        uint32_t bits;
        memcpy(&bits, p + i, sizeof bits);
        say_number(bits, 16, 8);
        say("\n");
    }
    return 0;
}
