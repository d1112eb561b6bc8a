"""How often the first step of a good rate raises the loss.

    python bench/first_step.py [--half held-out]

The cases and rates are those of finder.py; a rate is good if its training reaches 95 %
of the descent of the best one.  Its first step raises the loss if the batch of that
step has a higher loss after it.
"""

import argparse

import numpy as np
from finder import Case
from finders import RATES
from problems import by_name
from runs import SEEDS, SPLITS, pairs, rates_of


def good(case, rates):
    """Return the good rates of a case."""
    first, lasts = np.inf, []
    for lr in rates:
        first, last = case.train(lr)
        lasts.append(last if np.isfinite(last) else np.inf)
    limit = first - 0.95 * (first - min(lasts))
    return [lr for lr, last in zip(rates, lasts, strict=True) if last <= limit]


def rises(case, lr):
    """Return whether the first step at a rate raises the loss of its batch."""
    params, opt = case.begin(lr)
    batch = next(case.batches())
    before, grads = case.loss_and_grad(params, batch)
    opt.step(grads, before)
    return not case.loss_and_grad(params, batch)[0] <= before


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=SPLITS, default=SPLITS[0])
    half = parser.parse_args().half
    raised = []
    with np.errstate(all="ignore"):
        for name, optimizer, split in pairs():
            problem = by_name(name)
            if split != half or problem.schedule or problem.loss != "loss":
                continue
            for seed in SEEDS:
                case = Case(problem, optimizer, seed, problem.steps)
                rates = good(case, rates_of(problem, optimizer, RATES))
                raised.append([rises(case, lr) for lr in rates])
    steps, cases = np.mean(np.concatenate(raised)), np.mean([*map(all, raised)])
    print(f"{half}: the first step of {steps:.2f} of good rates raises the loss; in "
          f"{cases:.2f} of {len(raised)} cases that of all good rates")  # fmt: skip


if __name__ == "__main__":
    main()
