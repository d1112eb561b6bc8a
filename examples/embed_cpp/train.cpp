// train.cpp: the network of ../embed_c/train.c in C++: 16 hidden units learn sin(x) by
// lrcore's Adam, and print the same lines.
//
//     y = b2 + sum over k of w2[k] tanh(w1[k] x + b1[k])

#include "lrcore.hpp"
#include <cmath>
#include <cstdio>

namespace {

const int HIDDEN = 16, POINTS = 64, STEPS = 2000;

// A parameter, and its gradient.
struct param {
    std::vector<float> p, g;
    explicit param(int n) : p(n), g(n) {}
};

// Numbers from -1 to 1, the same on every machine.
float uniform()
{
    static unsigned state = 1;
    state = state * 1664525u + 1013904223u;
    return float(state >> 8) / float(1 << 23) - 1;
}

struct network {
    param w1{HIDDEN}, b1{HIDDEN}, w2{HIDDEN}, b2{1};

    network()
    {
        for (int k = 0; k < HIDDEN; k++) {
            w1.p[k] = 2 * uniform();
            b1.p[k] = 2 * uniform();
            w2.p[k] = 0.25f * uniform();
        }
    }
    // Add the gradients of one point; return its error.
    float backward(float x)
    {
        float h[HIDDEN], y = b2.p[0];
        for (int k = 0; k < HIDDEN; k++) {
            h[k] = std::tanh(w1.p[k] * x + b1.p[k]);
            y += w2.p[k] * h[k];
        }
        const float error = y - std::sin(x), share = error / POINTS;
        b2.g[0] += share;
        for (int k = 0; k < HIDDEN; k++) {
            const float inside = share * w2.p[k] * (1 - h[k] * h[k]);
            w2.g[k] += share * h[k];
            b1.g[k] += inside;
            w1.g[k] += inside * x;
        }
        return error;
    }
    float loss_and_gradients()
    {
        float sum = 0;
        for (int i = 0; i < POINTS; i++) {
            const float error = backward(6.2831853f * float(i) / POINTS - 3.1415927f);
            sum += error * error;
        }
        return sum / (2 * POINTS);
    }
};

void train()
{
    network net;
    plan adam("adam");
    for (param *x : {&net.w1, &net.b1, &net.w2, &net.b2}) adam.add(x->p, x->g);
    adam.option("clip_norm", 1);
    adam.option("zero_grads", 1); // for the next sums
    for (int t = 0; t < STEPS; t++) {
        adam.hyper("lr", 0.02 * (0.5 + 0.5 * std::cos(3.1415926535 * t / STEPS)));
        const float loss = net.loss_and_gradients();
        if (t % 500 == 0) std::printf("step %4d   loss %.6f\n", t, loss);
        adam.step();
    }
    std::printf("step %4d   loss %.6f\n", STEPS, net.loss_and_gradients());
}

} // namespace

int main()
{
    try {
        train();
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
