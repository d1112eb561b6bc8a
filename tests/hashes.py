"""Print ``name: hash`` of the bits that each configuration leaves behind.

The lines must be the same under every version of Python and NumPy.  Run it under two of
them, and compare the outputs::

    python3.11 tests/hashes.py > a;  python3.13 tests/hashes.py > b;  cmp a b

The inputs are made of integers, so that they do not depend on NumPy's random numbers.
Muon is left out: its matrix products are BLAS's, whose bits differ between machines.
"""

import sys
from copy import deepcopy
from hashlib import sha256
from math import prod

import numpy as np
from table import ROWS

import lrcore
from lrcore import schedules as s

STEPS = 5
SHAPES = ((45, 50), (2, 3, 4), (7,), ())  # the first has more elements than a strip
LOSSES = (3.0, 1.5, 2.0, 0.75, 0.5)
LR = s.Cosine(0.1, 10).warmup(3) + s.Exponential(0.03, 0.7) + s.Constant(0.1)

# Where another class finds its rate, or averages by itself, it refuses some of these.
OPTIONS = {
    "decayed": {"weight_decay": 0.1, "l2": 0.01, "maximize": True},
    "averaged": {"ema_decay": 0.9, "swa_start": 2, "swa_every": 2},
    "pulled": {"lookahead_steps": 2, "lookahead_alpha": 0.3},
    "scaled": {"mechanic": True, "mechanic_s_init": 0.1, "mechanic_decay": 0.3},
    "clipped": {"clip_value": 1.5, "clip_tensor_norm": 9.0, "clip_norm": 11.0},
    "by unit": {"agc": 0.3, "agc_axis": 0},
    "gathered": {"accumulate": 2, "grad_scale": 0.3, "clip_norm": 3.0},
    "scheduled": {"lr": LR, "weight_decay": 0.01 * LR},
    "reduced": {"lr": lrcore.ReduceOnPlateau(LR, 0.3, patience=0, min_lr=1e-3)},
}

TENTHS = s.Constant(0.1) + s.Constant(0.2) + s.Constant(0.3)
SCHEDULES = {
    "sum": TENTHS + s.Exponential(1.0, 0.9),
    "product": s.Exponential(0.1, 0.99) * s.Cosine(1.0, 300) * s.Linear(1.0, 0.3, 100),
    "one cycle": s.OneCycle(0.1, 300),
    "restarts": s.CosineRestarts(0.1, 7, 2, 0.01, 0.7).warmup(5),
    "joined": s.Noam(64, 40).then(100, s.Rex(0.1, 100)).clamp(low=1e-3),
    "per epoch": (1 - s.InverseTime(0.9, 0.1, 5)).per_epoch(9),
}


def integers(seed):
    """Yield 64 random bits at a time, by splitmix64."""
    most = 2**64 - 1
    state = seed
    while True:
        state = (state + 0x9E3779B97F4A7C15) & most
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & most
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & most
        yield z ^ (z >> 31)


def numbers(seed, shape, dtype):
    """Return numbers of a size in [1, 2) and either sign, exact in both dtypes."""
    source, few = integers(seed), 2.0**-23
    values = [
        (1 if bits & 1 else -1) * (1 + (bits >> 41) * few)
        for bits, _ in zip(source, range(prod(shape)), strict=False)
    ]
    return np.array(values, dtype).reshape(shape)


def arrays(seed, dtype):
    return [numbers(100 * seed + k, shape, dtype) for k, shape in enumerate(SHAPES)]


PARAMS = {dtype: arrays(0, dtype) for dtype in ("float32", "float64")}
GRADS = {
    dtype: [arrays(1 + t, dtype) for t in range(STEPS)]
    for dtype in ("float32", "float64")
}


def copies(found):
    return [np.array(a) for a in found]


def hashed(found):
    """Return a hash of the bits of arrays; all NaNs are one."""
    whole = sha256()
    for a in found:
        b = np.array(a)
        b[np.isnan(b)] = np.nan
        whole.update(b.tobytes())
    return whole.hexdigest()[:16]


def stepped(kind, kwargs):
    """Return the params and states that steps in both dtypes leave behind."""
    left = []
    for dtype, first in PARAMS.items():
        params = copies(first)
        opt = kind(params, **deepcopy(kwargs))  # what is reduced, each time anew
        for grads, loss in zip(GRADS[dtype], LOSSES, strict=True):
            opt.step(copies(grads), loss)
            lr = opt.param_groups[0]["lr"]
            if isinstance(lr, lrcore.ReduceOnPlateau):
                lr.update(loss)
        left += params
        left += [state[name] for state in opt.state for name in sorted(state)]
    return left


def optimizers():
    """Yield a name and a hash: of the table's rows, then of each class's options."""
    kinds = {
        name: found.kind
        for name, found in lrcore.optimizers.available().items()
        if name != "Muon"
    }
    rows = {f"{r.label} by {r.golden}": r for r in ROWS if r.name in kinds}
    for label, row in rows.items():
        yield label, hashed(stepped(kinds[row.name], row.kwargs))
    for name, kind in kinds.items():
        for label, kwargs in OPTIONS.items():
            try:
                left = stepped(kind, kwargs)
            except ValueError:
                yield f"{name} {label}", "refused"
            else:
                yield f"{name} {label}", hashed(left)


def others():
    """Yield a name and a hash of what is no optimizer."""
    for name, schedule in SCHEDULES.items():
        yield f"schedule, {name}", hashed([[schedule(t) for t in range(400)]])
    for dtype, grads in GRADS.items():
        yield f"norm, {dtype}", hashed([lrcore.global_norm(g) for g in grads])
        some = copies(grads[0])
        lrcore.clip_by_global_norm(some, 3.0, 1e-6)
        lrcore.clip_by_value(some, 0.05)
        yield f"clipped, {dtype}", hashed(some)


def main():
    for source in (optimizers, others):
        for name, found in source():
            print(f"{name}: {found}")


if __name__ == "__main__":
    sys.exit(main())
