"""Trajectories of pytorch-optimizer."""

from importlib.metadata import version
from inspect import signature

import pytorch_optimizer
import torch

from peers import translated
from peers.torch import VERSIONS as TORCH
from peers.torch import follow, sqrt, tensors

torch_pow = torch.pow


# FTRL takes its roots as powers of 0.5, which torch leaves to MKL like its own roots.
def power(x, exponent, out=None):
    return sqrt(x, out) if exponent == 0.5 else torch_pow(x, exponent, out=out)


torch.pow = torch.Tensor.pow = power

VERSIONS = {"pytorch_optimizer": version("pytorch_optimizer"), **TORCH}

# By lrcore's name: another name, and what makes it the algorithm of the paper.
KINDS = {
    "AdEMAMix": ("AdEMAMix", {"weight_decouple": True}),
    "SignSGD": ("SignSGD", {"momentum": 0.0}),
    "Signum": ("SignSGD", {}),
}
NAMES = {
    "decoupled_weight_decay": "weight_decouple",
    "initial_accumulator_value": "initial_accumulator",
    "l1": "lambda_1",
    "l2": "lambda_2",
}
FTRL_NAMES = {**NAMES, "initial_accumulator_value": None}  # it has no other than 0


def axes(row):
    return ["weight_decay"] if "weight_decay" in signature(kind(row)).parameters else []


def kind(row):
    return getattr(pytorch_optimizer, KINDS.get(row.name, [row.name])[0])


def run(row, options, start, grads, lrs):
    _, more = KINDS.get(row.name, (None, {}))
    names = FTRL_NAMES if row.name == "FTRL" else NAMES
    options = {**more, **translated(row.kwargs, names), **options, "foreach": False}
    yield from follow(kind(row)(tensors(start), **options), row, grads, lrs)
