"""A step of Muon beside torch's: matrix products in float32, and in bfloat16.

python bench/muon.py [ROWSxCOLUMNS ...]

It needs torch.  The contestants have a process each, and take turns:

lrcore            lrcore.Muon, in float32
torch, float32    the same loop in torch: momentum, five iterations, update
torch.optim.Muon  the same, with products in bfloat16

The first two must agree after five steps.  Each uses as many threads as its library
does by default.  The time is the median over the rounds of a turn's mean.
"""

import json
import sys
from contextlib import ExitStack, closing

import numpy as np

import lrcore
from lrcore.bench.arrays import random_arrays
from lrcore.bench.clock import Timing, Turn, collected
from lrcore.bench.process import Process, answers_only, send

SHAPES = ("16x16", "512x512", "1024x4096", "64x4096")
ROUNDS, SECONDS = 9, 0.25
LR, DECAY, MOMENTUM = 0.02, 0.1, 0.95
A, B, C = 3.4445, -4.775, 2.0315


def ours(p, g):
    return lrcore.Muon(p, lr=LR, weight_decay=DECAY).step, g


def loop(p, g):
    import torch

    p, g = torch.from_numpy(p), torch.from_numpy(g)
    m, ratio = torch.zeros_like(p), max(1.0, p.shape[0] / p.shape[1]) ** 0.5

    def step(g):
        m.lerp_(g, 1 - MOMENTUM)
        x = torch.lerp(g, m, MOMENTUM)
        x = x.T if x.shape[0] > x.shape[1] else x
        x = x / x.norm().clamp(min=1e-7)
        for _ in range(5):
            gram = x @ x.T
            x = torch.addmm(
                x, torch.addmm(gram, gram, gram, beta=B, alpha=C), x, beta=A
            )
        x = x if x.shape == p.shape else x.T
        p.mul_(1 - LR * DECAY).add_(x, alpha=-LR * ratio)

    return step, g


def theirs(p, g):
    import torch

    p = torch.from_numpy(p).requires_grad_()
    p.grad = torch.from_numpy(g)
    opt = torch.optim.Muon([p], lr=LR, weight_decay=DECAY, momentum=MOMENTUM)
    return lambda g: opt.step(), g


CONTESTANTS = {
    "lrcore": ours,
    "torch, float32": loop,
    "torch.optim.Muon": theirs,
}


def made(name, shape):
    """Return the params of a contestant, and its step."""
    rng = np.random.default_rng(0)
    p, g = random_arrays(rng, [shape] * 2, "float32")
    step, g = CONTESTANTS[name](p, g)
    return p, lambda: step(g)


def difference(shape):
    """Return how far the first two differ after five steps, over the largest change."""
    ends = []
    for name in ("lrcore", "torch, float32"):
        p, step = made(name, shape)
        start = p.copy()
        for _ in range(5):
            step()
        ends.append(p - start)
    return float(abs(ends[0] - ends[1]).max() / abs(ends[1]).max())


def work():
    """Be the process of a contestant: make it, compare it, take turns."""
    answers = answers_only()
    for line in sys.stdin:
        request = json.loads(line)
        if "name" in request:
            turn = Turn(made(request["name"], request["shape"])[1])
            send(answers, {"made": True})
        elif "compare" in request:
            send(answers, {"difference": difference(request["compare"])})
        else:
            with collected():
                send(answers, {"times": turn.take(SECONDS)})


def compare(shape):
    with closing(Process("muon", "--work")) as process:
        found = process.ask({"compare": shape})["difference"]
    if not found < 1e-3:
        raise SystemExit(f"lrcore and torch differ by {found:.1e} of the largest step")
    with ExitStack() as stack:
        at_work = {}
        for name in CONTESTANTS:
            process = stack.enter_context(closing(Process("muon", "--work")))
            process.ask({"name": name, "shape": shape})
            at_work[name] = process
        order, times = list(at_work), {name: [] for name in at_work}
        for _ in range(ROUNDS):
            for name in order:
                times[name].append(at_work[name].ask({})["times"])
            order.append(order.pop(0))
    timings = {name: Timing.of(each) for name, each in times.items()}
    print(f"{shape[0]} x {shape[1]}")
    for name, timing in timings.items():
        ratio = timing.median / timings["torch, float32"].median
        low, mid, high = (1e3 * t for t in (timing.low, timing.median, timing.high))
        print(f"  {name:<18}{mid:9.3f} ms   ({low:.3f} to {high:.3f}){ratio:7.2f}")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1:] == ["--work"]:
        work()
    else:
        for name in sys.argv[1:] or SHAPES:
            compare([int(n) for n in name.split("x")])
