"""Time steps whose numbers change: by schedules, Mechanic, or rates that are found.

python bench/step_numbers.py

Prints the time of a step over that of a plain step (of AdamW; of Adam for
D-Adaptation), timed in turns, in float32: with 1,000 elements, where computing the
numbers takes most of the time, and with 1,000,000 and one thread, where moving the
bytes does.
"""

import numpy as np

import lrcore
from lrcore.bench.clock import interleave

# Bytes for each element that a step moves from and to memory: g, p, each state, and the
# arrays of the gauge.  Arrays that Mechanic reads again are still in the cache.
BYTES = {
    "AdamW": 28,  # read g; read and write p, m, v
    "Adam": 28,
    "Mechanic": 28 + 16 + 12,  # with delta, p0; gauge: g, p, delta
    "DAdaptAdam": 36 + 12,  # with s; gauge: g, v, s
}


LITTLE = {
    "AdamW": lambda p: lrcore.AdamW(p),
    "lr= a callable": lambda p: lrcore.AdamW(p, lr=lambda t: 1e-3 / (1 + t)),
    "lr= a schedule": lambda p: lrcore.AdamW(
        p, lr=lrcore.schedules.Cosine(1e-3, total=10**9)
    ),
    "lr, weight_decay, betas": lambda p: lrcore.AdamW(
        p,
        lr=lambda t: 1e-3 / (1 + t),
        weight_decay=lambda t: 0.01 / (1 + t),
        betas=lambda t: (0.9, 0.999),
    ),
    "Mechanic": lambda p: lrcore.AdamW(p, lr=1.0, mechanic=True),
    "Prodigy": lambda p: lrcore.Prodigy(p),
    "DoG": lambda p: lrcore.DoG(p),
}
LARGE = {
    "AdamW": lambda p: lrcore.AdamW(p, num_threads=1),
    "Mechanic": lambda p: lrcore.AdamW(p, lr=1.0, mechanic=True, num_threads=1),
    "Adam": lambda p: lrcore.Adam(p, num_threads=1),
    "DAdaptAdam": lambda p: lrcore.DAdaptAdam(p, num_threads=1),
}


def times(kinds, elements):
    """Return the seconds of a step of each optimizer: medians, timed in turns."""
    steps = {}
    for name, make in kinds.items():
        opt = make(np.ones(elements, np.float32))
        g = np.full(elements, 1e-3, np.float32)
        steps[name] = lambda opt=opt, g=g: opt.step(g)
    return {k: t.median for k, t in interleave(steps, rounds=25, seconds=0.02).items()}


if __name__ == "__main__":
    little = times(LITTLE, 1_000)
    print(f"1,000 elements; AdamW takes {little['AdamW'] * 1e6:.2f} us")
    for name, seconds in little.items():
        print(f"{name:<26} {seconds / little['AdamW']:5.2f}")
    large = times(LARGE, 1_000_000)
    print(f"1,000,000 elements; AdamW takes {large['AdamW'] * 1e6:.0f} us")
    for name, base in (("Mechanic", "AdamW"), ("DAdaptAdam", "Adam")):
        ratio = large[name] / large[base]
        moved = BYTES[name] / BYTES[base]
        print(f"{name:<26} {ratio:5.2f} of {base}, {ratio / moved:.2f} a byte")
