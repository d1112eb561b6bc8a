"""Make torch.npz, the trajectories of torch.optim that test_golden.py compares with.

    python tests/golden/make.py            write the file anew
    python tests/golden/make.py --check    compare it with what torch gives now

Needs what requirements.txt lists, and gives the same bits on any x86-64 machine.
The entries of the file:

about             JSON: versions, and the values along the axes
start             (element,): the parameters at first, those of all tensors in a row
grads             (step, element): the gradients
factors           (step,): what lr is multiplied by
float32, float64  (row, weight decay, maximize, recorded step, element): parameters

What the runs are given is float32, exact in both precisions.  It is stored, as streams
of random numbers change between versions of NumPy.  No gradient depends on the
parameters, so rounding errors add up but do not feed on themselves.
"""

import argparse
import json
import os
import sys
from itertools import product
from pathlib import Path

import numpy as np

# Read when torch is imported: its kernels for no instruction set in particular, so that
# every processor gives the same bits.
os.environ["ATEN_CPU_CAPABILITY"] = "default"
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from table import TORCH_ROWS

torch.set_default_dtype(
    torch.float64
)  # of NAdam's running product, in float32 runs too

PATH = Path(__file__).with_name("torch.npz")
DTYPES = ["float32", "float64"]
SHAPES = [(3, 5), (7,)]
STEPS = [1, 2, 10, 30, 60]
WEIGHT_DECAY = [0.0, 0.05]
MAXIMIZE = [False, True]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    new = make()
    if not check:
        np.savez_compressed(PATH, **new)
        return
    with np.load(PATH) as old:
        found = list(differences(old, new))
    print(*found or [f"{PATH.name} is what torch gives"], sep="\n")
    sys.exit(bool(found))


def make():
    """Return the entries of the file by name."""
    about = {
        "torch": torch.__version__.partition("+")[0],
        "numpy": np.__version__,
        "rows": [row.label for row in TORCH_ROWS],
        "weight_decay": WEIGHT_DECAY,
        "maximize": MAXIMIZE,
        "steps": STEPS,
        "shapes": SHAPES,
    }
    given = inputs()
    return {
        "about": np.array(json.dumps(about)),
        **given,
        **{dtype: trajectories(dtype, **given) for dtype in DTYPES},
    }


def inputs():
    """Return what every run is given.

    Gradients are 8 times larger in the first third: after it v falls, and AMSGrad's
    maximum differs from it.  Their elements have scales down to 1/64, where eps counts.
    """
    rng = np.random.default_rng(2026)
    scale = 2.0 ** -np.concatenate([np.arange(np.prod(s)) % 7 for s in SHAPES])
    t = np.arange(STEPS[-1])
    burst = np.where(t < STEPS[-1] // 3, 4.0, 0.5)[:, None]
    given = {
        "start": rng.normal(size=scale.size),
        "grads": rng.normal(size=(t.size, scale.size)) * scale * burst,
        "factors": 1 + 0.5 * np.cos(t / 7),
    }
    return {name: values.astype(np.float32) for name, values in given.items()}


def trajectories(dtype, **given):
    """Return those of every row, with each weight decay, descending and ascending."""
    axes = [TORCH_ROWS, WEIGHT_DECAY, MAXIMIZE]
    found = [trajectory(*run, dtype, **given) for run in product(*axes)]
    return np.reshape(found, [*map(len, axes), len(STEPS), -1])


def trajectory(row, weight_decay, maximize, dtype, start, grads, factors):
    """Return the parameters after each of STEPS."""
    params = tensors(start, dtype)
    options = {**row.kwargs, "weight_decay": weight_decay, "maximize": maximize}
    if row.name == "Rprop":  # has no weight decay of its own: it is added below
        del options["weight_decay"]
    # foreach=False: the plain loop, to which torch's own tests hold its other paths.
    opt = getattr(torch.optim, row.name)(params, **options, foreach=False)
    recorded = []
    for t, factor in enumerate(factors.tolist()):
        for p, g in zip(params, tensors(grads[t], dtype), strict=True):
            p.grad = g
            if row.name == "Rprop":
                p.grad = g + weight_decay * p * (-1 if maximize else 1)
        opt.param_groups[0]["lr"] = row.kwargs["lr"] * factor
        opt.step()
        if t + 1 in STEPS:
            recorded.append(torch.cat([p.ravel() for p in params]).numpy())
    return recorded


def tensors(elements, dtype):
    """Return tensors of SHAPES with these elements."""
    parts = torch.tensor(elements.astype(dtype)).split([np.prod(s) for s in SHAPES])
    return [part.view(shape) for part, shape in zip(parts, SHAPES, strict=True)]


def differences(old, new):
    """Yield a line for each item that is not the same to the bit."""
    old, new = dict(items(old)), dict(items(new))
    for name in {**old, **new}:
        if name not in new:
            yield f"{name}: only in the file"
        elif name not in old:
            yield f"{name}: not in the file"
        elif old[name].tobytes() != new[name].tobytes():
            yield f"{name}: {difference(old[name], new[name])}"


def items(entries):
    """Yield all that is compared by name, the trajectories row by row."""
    about = json.loads(str(entries["about"]))
    for name, value in about.items():
        yield f"about: {name}", np.array(json.dumps(value))
    for name in ("start", "grads", "factors"):
        yield name, entries[name]
    for dtype in DTYPES:
        for label, runs in zip(about["rows"], entries[dtype], strict=True):
            yield f"{dtype}: {label}", runs


def difference(a, b):
    """Say how two arrays differ."""
    if a.dtype.kind == "U" or a.shape != b.shape:
        return f"{a} in the file, {b} now"
    return f"{(a != b).sum()} of {a.size} values, by at most {abs(a - b).max():.1e}"


if __name__ == "__main__":
    main()
