"""Ten calls whose instructions are counted; `check.py` runs this under valgrind.

python bench/instructions/calls.py COUNTED.so
"""

import ctypes
import gc
import sys
from functools import partial

import numpy as np

import lrcore

WARM_UP = 60
"""Calls that are not counted: Python specialises its code in the first of them."""

COUNTED = 9
"""Calls that are counted, of which the median stands."""


def step(kind, elements, arrays=1, dtype="float32", **options):
    """Return a step of `arrays` arrays with `elements` elements each, by one thread."""
    params = [np.ones(elements, dtype) for _ in range(arrays)]
    grads = [np.full(elements, 1e-3, dtype) for _ in range(arrays)]
    opt = getattr(lrcore, kind)(params, num_threads=1, **options)
    return partial(opt.step, grads)


def calls():
    """Return the calls by name."""
    whole = {"clip_norm": 1.0, "skip_nonfinite": True, "ema_decay": 0.999}
    cosine = lrcore.schedules.Cosine(0.1, total=1_000_000)
    return {
        "AdamW, 100": step("AdamW", 100),
        "AdamW, 1,000": step("AdamW", 1_000),
        "AdamW, 100,000": step("AdamW", 100_000),
        "AdamW, 100 arrays of 100": step("AdamW", 100, arrays=100),
        "AdamW, checked, clipped, averaged, 10,000": step("AdamW", 10_000, **whole),
        "LAMB, 10,000": step("LAMB", 10_000),
        "Prodigy, 10,000": step("Prodigy", 10_000),
        "Lion, float64, 10,000": step("Lion", 10_000, dtype="float64"),
        "SGD with momentum, 10,000": step("SGD", 10_000, momentum=0.9),
        "Cosine of 1,000 steps": partial(cosine, np.arange(1_000)),
    }


def main(library):
    counted = ctypes.PyDLL(library).counted
    counted.argtypes, counted.restype = [ctypes.py_object], ctypes.py_object
    for call in calls().values():
        for _ in range(WARM_UP):
            call()
        gc.collect()
        gc.disable()
        for _ in range(COUNTED):
            counted(call)
        gc.enable()


if __name__ == "__main__":
    main(*sys.argv[1:])
