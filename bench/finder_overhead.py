"""What lr_find takes besides the loss, the gradients and the steps.

    python bench/finder_overhead.py

The problem has two params, so that little else is timed.  From the processor time of a
range test that of as many evaluations and steps in a plain loop is subtracted; the rest
is divided by their number.  Printed are the median and the least of 25 tests.
"""

import time

import numpy as np

import lrcore


def measure(steps):
    """Return the overhead and the cost of an evaluation with its step, in seconds."""
    w, minimum = np.zeros(2), np.array([3.0, -1.0])
    opt = lrcore.SGD(w, momentum=0.9)
    batches = np.random.default_rng(0).normal(0, 0.1, (50, 2))

    def loss_and_grad(noise):
        error = w - minimum - noise
        return error @ error / 2, error

    start = time.process_time()
    found = lrcore.lr_find(opt, loss_and_grad, batches, trial_steps=steps)
    middle = time.process_time()
    opt.lr = found.suggestion
    for k in range(found.evaluations):
        loss, grads = loss_and_grad(batches[k % len(batches)])
        opt.step(grads, loss)
    plain = time.process_time() - middle
    number = found.evaluations
    return (middle - start - plain) / number, plain / number, number


def main():
    for steps in (300, 3000):
        runs = [measure(steps) for _ in range(25)]
        over, plain, number = (np.median(column) for column in zip(*runs, strict=True))
        print(f"trial_steps={steps}: {1e6 * over:.1f} us (at least "
              f"{1e6 * min(runs)[0]:.1f}) besides {1e6 * plain:.1f} us, in each of "
              f"{number:.0f} evaluations")  # fmt: skip


if __name__ == "__main__":
    main()
