"""Every optimizer at 1,000,000 float32 and 2 threads: `make bench`.

Beside Adam, by the bytes that a step moves; beside torch, where it has no fused kernel.
Nothing here asserts a time.
"""

import importlib.util

import numpy as np
import pytest
from interleave import interleave

import lrcore

SHAPE = (1000, 1000)
THREADS = 2
OPTIONS = {
    "SGD": {"momentum": 0.9},
    "SGDW": {"momentum": 0.9},
    "LARS": {"momentum": 0.9},
}
TWO_PASSES = {"LAMB": "Adam", "LARS": "SGD", "NovoGrad": "SGD"}
NOT_ELEMENTWISE = {*TWO_PASSES, "Adafactor", "SM3", "Muon"}
NOT_FUSED = ["RMSprop", "Adadelta", "NAdam", "RAdam", "Adamax", "Rprop", "ASGD"]

has_torch = importlib.util.find_spec("torch") is not None


def arrays():
    rng = np.random.default_rng(0)
    return [rng.standard_normal(SHAPE, dtype=np.float32) for _ in range(2)]


def stepper(name, **options):
    p, g = arrays()
    options = {**OPTIONS.get(name, {}), **options}
    opt = getattr(lrcore, name)(p, num_threads=THREADS, **options)
    return opt, lambda: opt.step(g)


def traffic(opt):
    """Bytes an element that a step reads and writes: p, g and the states like p."""
    p = opt.param_groups[0]["params"]
    state = {k: a for k, a in opt.state[0].items() if k != "ax"}  # kept from t0 on
    states = sum(a.shape == p.shape for a in state.values())
    return p.itemsize * (3 + 2 * states)


def torch_steppers(name):
    """By path: one step of torch's optimizer of that name."""
    import torch

    torch.set_num_threads(THREADS)
    steps = {}
    for path, options in {
        "loop": {"foreach": False},
        "foreach": {"foreach": True},
    }.items():
        p, g = map(torch.from_numpy, arrays())
        p.requires_grad_()
        p.grad = g
        steps[f"torch {path}"] = getattr(torch.optim, name)([p], **options).step
    return steps


def test_beside_adam(report):
    """Time a byte, over Adam's, of all optimizers in one run."""
    names = [name for name in lrcore.optimizers.available() if name != "Muon"]
    made = {name: stepper(name) for name in names}
    times = interleave({name: step for name, (_, step) in made.items()}, rounds=9)
    adam = times["Adam"] / traffic(made["Adam"][0])
    rows = []
    for name, t in sorted(times.items(), key=lambda item: item[1]):
        size = traffic(made[name][0])
        over = f"{t / size / adam:.2f} of Adam's time a byte"
        if name in TWO_PASSES:
            rule = TWO_PASSES[name]
            over = f"{t / times[rule]:.2f} of {rule}'s time, in two passes"
        elif name in NOT_ELEMENTWISE:
            over = f"{t / times['Adam']:.2f} of Adam's time, by rows and columns"
        rows.append(f"{name:<10} {t * 1e6:>8.0f} us {size:>4} B  {over}")
    report(f"1,000,000 float32, {THREADS} threads", rows)


@pytest.mark.parametrize("name", NOT_FUSED)
def test_beside_torch(name, report):
    if not has_torch:
        pytest.skip("torch is not installed: absent from the comparison")
    times = interleave({"lrcore": stepper(name)[1], **torch_steppers(name)}, rounds=9)
    ours = times["lrcore"]
    rows = [
        f"{who:<16} {t * 1e6:>8.0f} us   ({t / ours:.2f})" for who, t in times.items()
    ]
    report(f"{name}, 1,000,000 float32, {THREADS} threads", rows)
