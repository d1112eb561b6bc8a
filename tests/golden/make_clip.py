"""Make clip.npz: how other libraries clip gradients and scale losses.

    python tests/golden/make_clip.py             write it anew
    python tests/golden/make_clip.py --check     compare it with what there is now

Needs what requirements.txt lists, and gives the same bits on any x86-64 machine.
test_clip.py and test_scaler.py compare with it.  All is computed in float64, from
parameters and gradients that are float32.

about                   JSON: versions, shapes, and what each run is given
params, grads           (element,), (magnitude, element): those of all arrays in a row
timm_agc, optax_agc     (magnitude, factor, element): by adaptive clipping
torch_norm, optax_norm  (magnitude, most, element): by clipping the norm of all
norm                    (magnitude,): that norm, as torch returns it
scale, tracker          (run, step): torch's GradScaler after each step
stepped                 (run, step): the number that SGD steps by it
"""

import json
import sys
from importlib.metadata import version
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

from make import settle  # which sets the environment, so it comes first

# isort: split
import jax.numpy as jnp
import numpy as np
import optax
import torch


def load_agc():
    """Return timm.utils.agc, without the rest of timm, which imports torchvision."""
    path = Path(find_spec("timm").origin).parent / "utils" / "agc.py"
    spec = spec_from_file_location("agc", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SHAPES = [(4, 3), (2, 1, 3, 2), (4,), ()]
MAGNITUDES = [0.03, 10.0]
FACTORS, EPS = [0.01, 0.5], 1e-3
MOST = [0.3, 1e6]

# Initial scale, growth, backoff, growth interval.
SCALERS = [(8.0, 2.0, 0.5, 3), (65536.0, 4.0, 0.25, 2), (1.0, 2.0, 0.5, 1)]
# Steps whose gradient is not finite.
SKIPPED = [[3, 4, 8, 12, 13, 14, 20], [0, 5, 6, 9, 19], [0, 1, 2, 9]]
STEPS = 24


def main():
    new = entries()
    sys.exit(not settle("clip", new, "--check" in sys.argv[1:]))


def entries():
    """Return those of the file by name."""
    rng = np.random.default_rng(2026)
    params = [0.1 * rng.normal(size=shape) for shape in SHAPES]
    params[0][2] *= 1e-3  # a row whose norm is less than eps, and then a column
    params[0][:, 1] *= 1e-3
    grads = [[c * rng.normal(size=shape) for shape in SHAPES] for c in MAGNITUDES]
    grads[0][0][3] = 0  # a row without a gradient
    params = [np.float64(np.float32(p)) for p in params]
    grads = [[np.float64(np.float32(g)) for g in each] for each in grads]

    norms = [torch_norm(g, MOST[0])[0] for g in grads]
    runs = [scaled(*run) for run in zip(SCALERS, SKIPPED, strict=True)]
    found = {
        "params": row(params),
        "grads": [row(g) for g in grads],
        "timm_agc": [[row(timm_agc(params, g, c)) for c in FACTORS] for g in grads],
        "optax_agc": [[row(optax_agc(params, g, c)) for c in FACTORS] for g in grads],
        "torch_norm": [[row(torch_norm(g, c)[1]) for c in MOST] for g in grads],
        "optax_norm": [[row(optax_norm(g, c)) for c in MOST] for g in grads],
        "norm": norms,
        **dict(
            zip(("scale", "tracker", "stepped"), zip(*runs, strict=True), strict=True)
        ),
    }
    found = {name: np.array(values) for name, values in found.items()}
    assert all(a.dtype in (np.float64, np.int64) for a in found.values())
    about = {
        "versions": {name: version(name) for name in ("torch", "optax", "jax", "timm")},
        "shapes": SHAPES,
        "factors": FACTORS,
        "eps": EPS,
        "most": MOST,
        "scalers": SCALERS,
        "skipped": SKIPPED,
    }
    return {"about": np.array(json.dumps(about)), **found}


def row(arrays):
    """Return the elements of all in a row."""
    return np.concatenate(arrays, axis=None)


def leaf(p, g):
    """Return a parameter of torch's with its gradient."""
    tensor = torch.tensor(p, requires_grad=True)
    tensor.grad = torch.tensor(g)
    return tensor


def timm_agc(params, grads, factor):
    tensors = [leaf(p, g) for p, g in zip(params, grads, strict=True)]
    load_agc().adaptive_clip_grad(tensors, factor, EPS)
    return [tensor.grad.numpy() for tensor in tensors]


def optax_agc(params, grads, factor):
    clip = optax.adaptive_grad_clip(factor, EPS)
    return updated(clip, grads, [jnp.array(p) for p in params])


def torch_norm(grads, most):
    """Return the norm, and what is left."""
    tensors = [leaf(np.zeros_like(g), g) for g in grads]
    norm = torch.nn.utils.clip_grad_norm_(tensors, most)
    return norm.item(), [tensor.grad.numpy() for tensor in tensors]


def optax_norm(grads, most):
    return updated(optax.clip_by_global_norm(most), grads, None)


def updated(clip, grads, params):
    clipped, _ = clip.update([jnp.array(g) for g in grads], clip.init(params), params)
    return [np.array(g) for g in clipped]


def scaled(numbers, skipped):
    """Return scale, growth tracker and a number that SGD steps, after each step."""
    p = torch.zeros((), dtype=torch.float64, requires_grad=True)
    opt = torch.optim.SGD([p], lr=0.125)
    scaler = torch.amp.GradScaler("cpu", *numbers)
    found = []
    for step in range(STEPS):
        opt.zero_grad()
        size = float("nan" if step % 2 else "inf") if step in skipped else 1.0 + step
        scaler.scale(p * size).backward()
        scaler.step(opt)
        scaler.update()
        saved = scaler.state_dict()
        found.append((saved["scale"], saved["_growth_tracker"], p.item()))
    return [list(values) for values in zip(*found, strict=True)]


if __name__ == "__main__":
    main()
