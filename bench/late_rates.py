"""How soon the monitor tells a rate that turns wrong late in a run.

    python bench/late_rates.py

Problems are trained by AdamW or SGD at a good rate for 3,000 steps.  Then the same from
another seed, at a rate that is 30 or 100 times as high from step 1,500 on.  "Told"
counts the runs in which a finding that calls the rate too high came within 104 steps of
that: three windows of 32 steps, as the first may begin before it, and 8 more.  Some
runs bear the higher rate.  A clean run must have no such finding.
"""

import numpy as np
from problems import by_name
from runs import OPTIMIZERS

import lrcore

STEPS, TURN, SOON = 3000, 1500, 104
CASES = [
    ("digits-32", "AdamW", 3e-3), ("digits-deep", "AdamW", 1e-3),
    ("wave", "AdamW", 1e-2), ("friedman", "AdamW", 1e-2),
    ("autoencoder", "AdamW", 1e-2), ("recurrent", "AdamW", 1e-2),
    ("embedding", "AdamW", 1e-2), ("softmax-8", "SGD", 0.3),
    ("digits-64-tanh", "SGD", 0.3), ("friedman-deep", "SGD", 0.1),
]  # fmt: skip


def watched(case, seed, factor):
    """Return after which step the rate was called too high, and the loss of that step.

    If it was not: 0, and the last loss.
    """
    name, optimizer, lr = case
    problem = by_name(name)
    params, batches = problem.start(seed)
    opt = OPTIMIZERS[optimizer](params, lr, telemetry=True)
    monitor = lrcore.Monitor(opt)
    for step in range(STEPS):
        if step == TURN:
            opt.lr = factor * lr
        loss, grads = problem.loss_and_grad(params, next(batches))
        opt.step(grads)
        finding = monitor.update(loss)
        if finding and finding.rate == "too high":
            return step + 1, loss
    return 0, loss


def main():
    alarms = 0
    for case in CASES:
        told, _ = watched(case, 0, 1.0)
        alarms += bool(told)
        print(f"{case[0]:<16}{case[1]:<8} clean: {f'told at {told}' if told else ''}")
    rows = []
    for factor in (30.0, 100.0):
        for case in CASES:
            told, loss = watched(case, 1, factor)
            rows.append(told)
            late = f"told {told - TURN} steps later" if told else "not told"
            run = f"{case[0]:<16}{case[1]:<8} times {factor:g}"
            print(f"{run}: {late}, at a loss of {loss:.3g}")
    soon = sum(TURN < told <= TURN + SOON for told in rows)
    print(f"\ntold within {SOON} steps: {soon} of {len(rows)} runs")
    print(f"alarms in clean runs of {STEPS} steps: {alarms} of {len(CASES)}")


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        main()
