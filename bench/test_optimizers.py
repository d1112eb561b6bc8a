"""Time every optimizer beside Adam, at 1,000,000 float32 and 2 threads: `make bench`.

Times are compared by the bytes that a step moves; nothing here asserts a time.
`lrcore bench --optimizer all` compares with other libraries.
"""

import numpy as np

import lrcore
from lrcore.bench.clock import interleave
from lrcore.bench.peers import moved, settings

SHAPE = (1000, 1000)
THREADS = 2
TWO_PASSES = {"LAMB": "Adam", "LARS": "SGD", "NovoGrad": "SGD"}
NOT_ELEMENTWISE = {*TWO_PASSES, "Adafactor", "SM3", "Muon"}


def made(name):
    """Return the bytes for each element that a step moves, and the step."""
    rng = np.random.default_rng(0)
    p, g = (rng.standard_normal(SHAPE, dtype=np.float32) for _ in range(2))
    opt = getattr(lrcore, name)(p, num_threads=THREADS, **settings(name))
    return moved([p], opt.state) // p.size, lambda: opt.step(g)


def test_beside_adam(report):
    """Print each optimizer's time a byte over Adam's, all timed in one run."""
    all_made = {
        name: made(name) for name in lrcore.optimizers.available() if name != "Muon"
    }
    timed = interleave({name: step for name, (_, step) in all_made.items()})
    times = {name: t.median for name, t in timed.items()}
    adam = times["Adam"] / all_made["Adam"][0]
    rows = []
    for name, t in sorted(times.items(), key=lambda item: item[1]):
        size = all_made[name][0]
        over = f"{t / size / adam:.2f} of Adam's time a byte"
        if name in TWO_PASSES:
            rule = TWO_PASSES[name]
            over = f"{t / times[rule]:.2f} of {rule}'s time, in two passes"
        elif name in NOT_ELEMENTWISE:
            over = f"{t / times['Adam']:.2f} of Adam's time, by rows and columns"
        rows.append(f"{name:<10} {t * 1e6:>8.0f} us {size:>4} B  {over}")
    report(f"1,000,000 float32, {THREADS} threads", rows)
