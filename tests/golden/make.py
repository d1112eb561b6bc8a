"""Make the trajectories of other libraries that test_golden.py compares with.

    python tests/golden/make.py                   write the files anew
    python tests/golden/make.py --check           compare them with what there is now
    python tests/golden/make.py [--check] torch   ... of some libraries only

Needs what requirements.txt lists, and gives the same bits on any x86-64 machine with
FMA, which the C library's pow makes use of.

given.npz, what all runs are given:
start             (element,): the parameters at first, those of all tensors in a row
grads             (step, element): the gradients
factors           (step,): what lr is multiplied by

torch.npz, keras.npz, ..., what a library makes of it:
about             JSON: versions, the steps that are recorded, the runs
float32, float64  (run, recorded step, element): parameters, or another of its arrays

What the runs are given is float32, exact in both precisions.  It is stored, as streams
of random numbers change between versions of NumPy.  No gradient depends on the
parameters, so rounding errors add up but do not feed on themselves.
"""

import argparse
import json
import os
import sys
from importlib import import_module
from itertools import product
from pathlib import Path

# Read when libraries are imported.  Their kernels for no instruction set in particular,
# so that every processor gives the same bits.
os.environ |= {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Nehalem",
    "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2 --xla_cpu_multi_thread_eigen=false",
    "JAX_ENABLE_X64": "1",
    "JAX_PLATFORMS": "cpu",
    "KERAS_BACKEND": "numpy",
}

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from table import ROWS

FOLDER = Path(__file__).parent
LIBRARIES = sorted({row.golden for row in ROWS if row.golden})
DTYPES = ["float32", "float64"]
ELEMENTS = 22
STEPS = [1, 2, 10, 30, 60]
AXES = {"weight_decay": [0.0, 0.05], "maximize": [False, True]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("library", nargs="*", help=f"of {', '.join(LIBRARIES)}")
    args = parser.parse_args()
    given = inputs()
    ok = settle("given", given, args.check)
    for library in args.library or LIBRARIES:
        ok &= settle(library, entries(library, given), args.check)
    sys.exit(not ok)


def settle(name, new, check):
    """Write a file, or print how it differs; return whether all is well."""
    path = FOLDER / f"{name}.npz"
    if not check:
        np.savez_compressed(path, **new)
        return True
    with np.load(path) as old:
        found = list(differences(dict(old), new))
    print(*[f"{path.name}: {line}" for line in found or ["the same"]], sep="\n")
    return not found


def inputs():
    """Return what every run is given.

    Gradients are 8 times larger in the first third: after it v falls, and AMSGrad's
    maximum differs from it.  Their elements have scales down to 1/64, where eps counts.
    """
    rng = np.random.default_rng(2026)
    scale = 2.0 ** -np.concatenate([np.arange(15) % 7, np.arange(7)])
    t = np.arange(STEPS[-1])
    burst = np.where(t < STEPS[-1] // 3, 4.0, 0.5)[:, None]
    given = {
        "start": rng.normal(size=ELEMENTS),
        "grads": rng.normal(size=(t.size, ELEMENTS)) * scale * burst,
        "factors": 1 + 0.5 * np.cos(t / 7),
    }
    return {name: values.astype(np.float32) for name, values in given.items()}


def entries(library, given):
    """Return those of its file by name."""
    peer = import_module(f"peers.{library}")
    runs = [
        (row, dict(zip(axes, values, strict=True)))
        for row in ROWS
        if row.golden == library
        for axes in [peer.axes(row)]
        for values in product(*(AXES[axis] for axis in axes))
    ]
    about = {
        "versions": peer.VERSIONS,
        "steps": STEPS,
        "runs": [[row.label, options] for row, options in runs],
    }
    found = {"about": np.array(json.dumps(about))}
    for dtype in DTYPES:
        all_of_them = [trajectory(peer, *run, dtype, **given) for run in runs]
        found[dtype] = np.array(all_of_them, dtype)
    return found


def trajectory(peer, row, options, dtype, start, grads, factors):
    """Return what is recorded after each of STEPS."""
    lrs = row.lrs(factors.tolist())
    start, *grads = (row.arrays(x.astype(dtype)) for x in [start, *grads])
    recorded = []
    for t, arrays in enumerate(peer.run(row, options, start, grads, lrs), 1):
        if t in STEPS:
            recorded.append(np.concatenate(arrays, axis=None))
    assert all(x.dtype == dtype for x in recorded), "not computed in its own precision"
    return recorded


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
    """Yield all that is compared by name, the trajectories run by run."""
    about = json.loads(str(entries.get("about", "{}")))
    runs = about.pop("runs", [])
    for name, value in about.items():
        yield f"about: {name}", np.array(json.dumps(value))
    for name, values in entries.items():
        if name in DTYPES:
            for (label, options), run in zip(runs, values, strict=True):
                yield f"{name}: {label} {options}", run
        elif name != "about":
            yield name, values


def difference(a, b):
    """Say how two arrays differ."""
    if a.dtype.kind == "U" or a.shape != b.shape:
        return f"{a} in the file, {b} now"
    return f"{(a != b).sum()} of {a.size} values, by at most {abs(a - b).max():.1e}"


if __name__ == "__main__":
    main()
