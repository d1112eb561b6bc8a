"""What the tests of several optimizers in one object (Mixed) share."""

import numpy as np
import pytest
from helpers import KINDS, all_same, random_like

import lrcore

MIXABLE = [name for name, kind in KINDS.items() if not kind._sums_all]
each_mixable = pytest.mark.parametrize("name", MIXABLE)

SHAPES = {"embed": (5, 2), "hidden.0.W": (3, 3), "hidden.0.b": (3,)}
SHAPES |= {"hidden.1.W": (3, 4), "hidden.1.b": (4,), "head": (2, 3)}
NAMES = [*SHAPES]


def network(dtype="float64", seed=0):
    """Params by name; a dot in a key is as good as containers in each other."""
    like = [np.empty(shape, dtype) for shape in SHAPES.values()]
    return dict(zip(SHAPES, random_like(like, seed), strict=True))


def gradients(params, t):
    arrays = random_like(list(params.values()), (7, t), 1.0 if t % 2 else 0.1)
    return dict(zip(params, arrays, strict=True))


def run(opt, params, steps=range(4)):
    for t in steps:
        assert opt.step(gradients(params, t))


def same(params, twins):
    return all_same(params.values(), twins.values())


MUON = {"*.W": (lrcore.Muon, {"lr": 0.02}), "*": lrcore.AdamW}
