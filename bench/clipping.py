"""What clipping does for runs with spikes: none, a fixed norm, ZClip, AdaGC, skipping.

    python bench/clipping.py [SEEDS]

Ordinary problems, the same with 1 % of the batches multiplied by 100, and problems with
heavy-tailed noise are trained for 300 steps by SGD, momentum and AdamW, at rates half a
decade apart, from 3 seeds (or SEEDS).  Each way to clip has its defaults, and the rate
that is best for it: that with the least median of the loss on all data at the end.

    reached = (first - last) / (first - least)

of these losses before and after the run, medians of the seeds; least is the least
`last` of all ways.  For each kind of problem the table has

mean     the mean of "reached" over its problems and optimizers, each at its best rate
least    the least of them
fixed    the mean at the rate that is best without clipping, of the same problem without
         spikes
"""

import sys
from collections import defaultdict

import numpy as np
import runs
from problems import STANDARD, heavy
from problems.disturbed import spoiled

from lrcore import ZClip

STEPS = 300
RATES = runs.RATES[6:14]  # 1e-3 to 3.16
WAYS = {
    "none": dict,
    "clip_norm=1": lambda: {"clip_norm": 1.0},
    '"zclip"': lambda: {"clip_norm": "zclip"},
    'ZClip(mode="max")': lambda: {"clip_norm": ZClip(mode="max")},
    "ZClip(z=6, skip=True)": lambda: {"clip_norm": ZClip(6, skip=True)},
    '"adagc"': lambda: {"clip_tensor_norm": "adagc"},
}
OPTIMIZERS = {name: runs.OPTIMIZERS[name] for name in ("SGD", "momentum", "AdamW")}


def problems():
    """Return (kind, problem, the name of the same problem without spikes)."""
    found = []
    for problem in stochastic():
        found.append(("ordinary", problem, problem.name))
        spiky = spoiled(f"spiky {problem.name}", "spikes", problem, 100.0)
        found.append(("spikes", spiky, problem.name))
    found += [("heavy-tailed", each, each.name) for each in heavy.PROBLEMS]
    return found


def stochastic():
    """Return the first problem of each ordinary family that has batches and layers."""
    by_kind = {}
    for problem in STANDARD:
        batches = problem.batches(np.random.default_rng(0))
        p = problem.params(np.random.default_rng(0))
        (one, grads), (other, _) = (
            problem.loss_and_grad(p, next(batches)) for _ in "ab"
        )
        if one != other and isinstance(grads, list):
            by_kind.setdefault(problem.kind, problem)
    return list(by_kind.values())


def trained(problem, kind, lr, way, seed):
    """Return the loss on all data before and after a run."""
    params, batches = problem.start(seed)
    opt = kind(params, lr, **WAYS[way]())
    first = problem.full_loss(params)
    for _ in range(STEPS):
        opt.step(problem.loss_and_grad(params, next(batches))[1])
    last = problem.full_loss(params)
    return first, last if np.isfinite(last) else np.inf


def sweep(problem, kind, seeds):
    """Return the median first loss, and those at the end by way and rate."""
    lasts, firsts = {}, []
    for way in WAYS:
        rows = []
        for lr in RATES:
            pairs = [
                trained(problem, kind, lr / problem.scale, way, s) for s in range(seeds)
            ]
            firsts += [first for first, _ in pairs]
            rows.append(np.median([last for _, last in pairs]))
        lasts[way] = np.array(rows)
    return np.median(firsts), lasts


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    tuned, fixed = (defaultdict(lambda: defaultdict(list)) for _ in range(2))
    calm = {}  # the place of the best rate without clipping or spikes
    with np.errstate(all="ignore"):
        for what, problem, same in problems():
            for name, kind in OPTIMIZERS.items():
                first, lasts = sweep(problem, kind, seeds)
                least = min(each.min() for each in lasts.values())
                best = calm.setdefault((same, name), int(lasts["none"].argmin()))
                for way, last in lasts.items():
                    gained = np.maximum((first - last) / (first - least), -1)
                    tuned[what][way].append(gained.max())
                    fixed[what][way].append(gained[best])
                figures = " ".join(f"{each.min():>9.3g}" for each in lasts.values())
                print(
                    f"{problem.name:<24} {name:<9} {first:>9.3g} {figures}", flush=True
                )
    print(f"\n{'reached':<26}" + "".join(f"{what:>28}" for what in tuned))
    print(f"{'':<26}" + f"{'mean':>10}{'least':>9}{'fixed':>9}" * len(tuned))
    for way in WAYS:
        told = ""
        for what in tuned:
            own = tuned[what][way]
            told += f"{np.mean(own):>10.3f}{min(own):>9.3f}"
            told += f"{np.mean(fixed[what][way]):>9.3f}"
        print(f"{way:<26}{told}")


if __name__ == "__main__":
    main()
