"""Time lrcore.torch beside torch's fused and plain loops: `python bench/torch_step.py`.

Each size is run in turns, several times; a line has the median of each in microseconds,
and how many times as long torch takes.  The whole step is clip, AdamW, EMA and zeroed
gradients, as people write it in torch: clip_grad_norm_, step, a _foreach_lerp_ of the
averages, zero_grad.
"""

import sys
from statistics import median
from time import perf_counter

import torch

import lrcore.torch

SIZES = {"100 x 100": [(100,)] * 100, "1e6 in 100": [(100, 100)] * 100}


def tensors(shapes):
    made = [torch.randn(shape).requires_grad_() for shape in shapes]
    for p in made:
        p.grad = torch.randn(p.shape)
    return made


def plain(shapes):
    """Return a step of each optimizer."""
    return {
        "lrcore": lrcore.torch.AdamW(tensors(shapes)).step,
        "torch fused": torch.optim.AdamW(tensors(shapes), fused=True).step,
        "torch": torch.optim.AdamW(tensors(shapes)).step,
    }


def whole(shapes):
    """Return the whole step of each optimizer."""
    ours = lrcore.torch.AdamW(
        tensors(shapes), clip_norm=1.0, ema_decay=0.99, zero_grads=True
    )
    return {"lrcore": ours.step, "torch fused": by_torch(tensors(shapes))}


def by_torch(params):
    opt = torch.optim.AdamW(params, fused=True)
    averages = [p.detach().clone() for p in params]

    def step():
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        with torch.no_grad():
            torch._foreach_lerp_(averages, params, 0.01)
        opt.zero_grad(set_to_none=False)

    return step


def times(steps, seconds):
    """Return the median of each, in microseconds; they are called in turns."""
    found = {name: [] for name in steps}
    end = perf_counter() + seconds
    while perf_counter() < end:
        for name, step in steps.items():
            for _ in range(30):
                begin = perf_counter()
                step()
                found[name].append(perf_counter() - begin)
    return {name: 1e6 * median(each) for name, each in found.items()}


def main(seconds=3.0):
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for size, shapes in SIZES.items():
        for what, made in (("AdamW", plain), ("whole step", whole)):
            took = times(made(shapes), seconds)
            line = ", ".join(
                f"{name} {us:.0f} ({us / took['lrcore']:.1f})"
                for name, us in took.items()
            )
            print(f"{what} of {size}: {line}")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
