"""Trajectories of timm.optim."""

import sys
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec, module_from_spec
from types import SimpleNamespace

from peers import translated
from peers.torch import VERSIONS as TORCH
from peers.torch import follow, tensors

# timm.optim alone: the rest imports torchvision, whose wheels fit one build of torch.
sys.modules["timm"] = module_from_spec(find_spec("timm"))
sys.modules["timm.models"] = SimpleNamespace(group_parameters=None)
optim = import_module("timm.optim")

VERSIONS = {"timm": version("timm"), **TORCH}

# By lrcore's name: the class, and what makes it the algorithm of the paper.
KINDS = {
    "SGDW": (optim.SGDW, {}),
    "Lion": (optim.Lion, {}),
    "Adan": (optim.Adan, {}),
    "AdaBelief": (optim.AdaBelief, {"rectify": False}),
    "ADOPT": (optim.Adopt, {"clip_exp": 0.25}),
    "LaProp": (optim.LaProp, {}),
    "MADGRAD": (optim.MADGRAD, {}),
    "LAMB": (optim.Lamb, {"max_grad_norm": None, "always_adapt": True}),
    "LARS": (optim.Lars, {"always_adapt": True}),
    "NovoGrad": (optim.NvNovoGrad, {}),
}
NAMES = {
    "trust_coefficient": "trust_coeff",
    "decoupled_weight_decay": "decoupled_decay",
}
ONE_PATH = {"MADGRAD", "NovoGrad"}  # others have one for many tensors at once


def axes(row):
    return ["weight_decay"]


def run(row, options, start, grads, lrs):
    kind, more = KINDS[row.name]
    names = {"decoupled_weight_decay": "decoupled"} if row.name == "ADOPT" else {}
    options = {**more, **translated(row.kwargs, NAMES | names), **options}
    if row.name not in ONE_PATH:
        options["foreach"] = False
    yield from follow(kind(tensors(start), **options), row, grads, lrs)
