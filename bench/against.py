"""Compare the speed of two builds of lrcore: python bench/against.py OLD NEW

OLD and NEW are the interpreters of two environments (`make` builds .venv/bin/python).
A process of each has the same optimizers.  They step in turns, so that other load on
the machine slows both alike.  Prints the least time of each in all rounds, which other
work changes least, and new / old.
"""

import json
import subprocess
import sys

ROUNDS = 61
SIZES = [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000]
CASES = [
    *((kind, "float32", n, 1, 0) for kind in ("SGD", "AdamW") for n in SIZES),
    ("Momentum", "float32", 1_000, 1, 0),
    ("Momentum", "float32", 1_000_000, 1, 0),
    *(("AdamW", "float64", n, 1, 0) for n in (1_000, 1_000_000)),
    ("AdamW", "float32", 10_000, 100, 0),
    ("AdamW", "float32", 1_000_000, 100, 0),
    ("AdamW", "float32", 1_000_000, 1, 1),
    ("Lion", "float32", 10_000, 1, 0),
    ("LAMB", "float32", 1_000_000, 1, 0),
    ("LAMB", "float32", 2_000, 20, 0),
    ("LARS", "float32", 1_000_000, 1, 0),
    ("accumulate", "float32", 2_000, 20, 0),
    ("Adafactor", "float32", 1_000_000, 1, 0),
    ("clip_norm", "float32", 1_000_000, 1, 0),
]
"""Optimizer, dtype, elements, arrays, threads (0: the default)."""

WORKER = """
import json, sys, time
import numpy as np
import lrcore

OPTIONS = {
    "Momentum": ("SGD", {"momentum": 0.9}),
    "accumulate": ("AdamW", {"accumulate": 1_000_000}),
    "clip_norm": ("AdamW", {"clip_norm": 1.0, "ema_decay": 0.99}),
}


def stepper(kind, dtype, elements, arrays, threads):
    kind, options = OPTIONS.get(kind, (kind, {}))
    if threads:
        options = {**options, "num_threads": threads}
    n = elements // arrays
    shape = (n // 1000, 1000) if kind == "Adafactor" else (n,)
    params = [np.ones(shape, dtype) for _ in range(arrays)]
    grads = [np.full(shape, 1e-3, dtype) for _ in range(arrays)]
    step = getattr(lrcore, kind)(params, **options).step
    return lambda: step(grads)


steps = [stepper(*case) for case in json.loads(sys.argv[1])]
for line in sys.stdin:
    which, calls = json.loads(line)
    step = steps[which]
    step()
    began = time.perf_counter()
    for _ in range(calls):
        step()
    print((time.perf_counter() - began) / calls, flush=True)
"""


class Build:
    """A process of one build, which steps on request."""

    def __init__(self, python):
        command = [python, "-c", WORKER, json.dumps(CASES)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def seconds(self, which, calls):
        self.process.stdin.write(json.dumps([which, calls]) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def main(old, new):
    builds = [Build(old), Build(new)]
    print("optimizer  dtype    elements arrays threads   old us   new us  new / old")
    for which, case in enumerate(CASES):
        calls = max(1, int(0.01 / builds[0].seconds(which, 3)))
        pairs = []
        for turn in range(ROUNDS):
            order = builds if turn % 2 else builds[::-1]
            times = {build: build.seconds(which, calls) for build in order}
            pairs.append([times[build] for build in builds])
        least = [min(column) * 1e6 for column in zip(*pairs, strict=True)]
        kind, dtype, elements, arrays, threads = case
        print(
            f"{kind:<10} {dtype} {elements:>10} {arrays:>6} {threads or '':>7} "
            f"{least[0]:>8.2f} {least[1]:>8.2f} {least[1] / least[0]:>10.3f}"
        )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
