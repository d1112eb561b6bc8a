"""Trajectories of torch.optim, and of optimizers made for torch."""

from inspect import signature

import numpy as np
import torch

VERSIONS = {"torch": torch.__version__.partition("+")[0]}

# Of scalars that are kept as tensors, as NAdam's running product: in float32 runs too.
torch.set_default_dtype(torch.float64)


# That of MKL, which torch calls, differs in the last bit from processor to processor.
def sqrt(x, out=None):
    root = torch.from_numpy(np.asarray(np.sqrt(x.numpy())))
    return root if out is None else out.copy_(root)


torch.sqrt = torch.Tensor.sqrt = sqrt
torch.Tensor.sqrt_ = lambda x: sqrt(x, out=x)

# Muon would iterate in bfloat16, which has three digits: in its parameters' dtype then.
torch.Tensor.bfloat16 = torch.Tensor.clone

DECOUPLED = {"NAdamW": "NAdam", "RAdamW": "RAdam"}


def axes(row):
    known = signature(kind(row)).parameters
    has_decay = "weight_decay" in known or row.name == "Rprop"
    return ["weight_decay"] * has_decay + ["maximize"] * ("maximize" in known)


def kind(row):
    return getattr(torch.optim, DECOUPLED.get(row.name, row.name))


def run(row, options, start, grads, lrs):
    options = {**row.kwargs, **options}
    decay = 0
    if row.name == "Rprop":  # has no weight decay of its own: it is added below
        decay = options.pop("weight_decay") * (-1 if options["maximize"] else 1)
    if row.name in DECOUPLED:
        options["decoupled_weight_decay"] = True
    if row.name != "Muon":
        # The plain loop, to which torch's own tests hold its other paths.
        options["foreach"] = False
    opt = kind(row)(tensors(start), **options)
    if row.name == "ASGD":
        lrs = one_ahead(opt, lrs)
    yield from follow(opt, row, grads, lrs, decay)


def follow(opt, row, grads, lrs, decay=0):
    """Yield what is recorded after each step of an optimizer made for torch."""
    (group,) = opt.param_groups
    for step_grads, lr in zip(grads, lrs, strict=True):
        for p, g in zip(group["params"], tensors(step_grads), strict=True):
            p.grad = g + decay * p if decay else g
        group["lr"] = lr
        opt.step()
        recorded = [opt.state[p].get(row.recorded, p) for p in group["params"]]
        yield [p.numpy() for p in recorded]


def one_ahead(opt, lrs):
    """Return lrs such that each step of ASGD uses its own.

    At its end a step makes eta of the next one, with the lr it has itself: it is given
    the next one's.  The first eta is the lr that there is when the state is made.
    """
    (group,) = opt.param_groups
    group["lr"] = lrs[0]
    for p in group["params"]:
        p.grad = torch.zeros_like(p)
    opt._init_group(group, *([] for _ in range(6)))
    return [*lrs[1:], lrs[-1]]


def tensors(arrays):
    """Return copies."""
    return [torch.tensor(array) for array in arrays]
