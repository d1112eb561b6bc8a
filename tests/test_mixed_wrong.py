"""What a Mixed refuses, and what it says then."""

import re
from functools import partial

import numpy as np
import pytest
from mixtures import MUON, network
from wrong import WRONG, refused

import lrcore
from lrcore import Mixed


class Stepping(lrcore.SGD):
    def step(self, grads, loss=None):
        return super().step(grads, loss)


class Constructed(lrcore.SGD):
    def __init__(self, params, rate=0.25):
        super().__init__(params, lr=rate)


WANTED = "expected an optimizer, such as lrcore.AdamW or (lrcore.AdamW, dict(lr=1e-3))"
REFUSED = {
    "optimizers: expected a dict from patterns to optimizers, found [": [lrcore.SGD],
    "optimizers: expected patterns for keys, such as '*.bias', found 3 (int)": {
        3: lrcore.SGD
    },
    "optimizers: no pattern matches 'embed', 'hidden.0.W', ": {},
    "optimizers: no pattern matches 'embed', 'head'; end with the pattern '*'": {
        "hidden.*": lrcore.SGD
    },
    "optimizers: the pattern 'haed' matches no array; did you mean 'head'?": {
        "haed": lrcore.SGD, "*": lrcore.SGD
    },
    "optimizers: 'head' matches only arrays that '*' matched before": {
        "*": lrcore.SGD, "head": lrcore.SGD
    },
    f"optimizers['*']: {WANTED}, found 3": {"*": 3},
    f"optimizers['*']: {WANTED}, found <class 'int'>": {"*": int},
    f"optimizers['*']: {WANTED}, found ('SGD',)": {"*": ("SGD",)},
    f"optimizers['*']: {WANTED}, found ('SGD', 3)": {"*": ("SGD", 3)},
    f"optimizers['*']: {WANTED}, found Optimizer": {"*": lrcore.Optimizer},
    f"optimizers['*']: {WANTED}, found Mixed": {"*": lrcore.Mixed},
    f"optimizers['*']: {WANTED}, found <SGD of 1 elements in 1 arrays, t=0: "
    "ParamGroup()>, which has its params already; pass its class": {
        "*": lrcore.SGD(np.ones(1))
    },
    "optimizers['*']: expected one of AdaBelief, ": {"*": "Adm"},
    "optimizers['*']: expected a partial with keywords only, found ": {
        "*": partial(lrcore.SGD, 3)
    },
    "optimizers['*']: expected an optimizer other than SPS, which makes its rate from "
    "the loss and the gradients of all arrays": {"*": lrcore.SPS},
    "optimizers['*']: expected an optimizer without its own step, which would not be "
    "called here, found Stepping; use it by itself": {"*": Stepping},
    "optimizers['*']: expected an optimizer without its own __init__, ": {
        "*": Constructed
    },
    "optimizers['*']: unexpected keyword 'betas'; there are lr, momentum": {
        "*": (lrcore.SGD, {"betas": 0.5})
    },
    "optimizers['*']: unexpected keyword 'wd'; did you mean weight_decay?": {
        "*": (lrcore.SGD, {"wd": 0.5})
    },
    "optimizers['*']: unexpected keyword 'clip_norm', which belongs to the whole ": {
        "*": (lrcore.SGD, {"clip_norm": 0.5})
    },
    "optimizers['*']: lr: expected a finite number >= 0, found -1": {
        "*": (lrcore.SGD, {"lr": -1})
    },
    "optimizers['*']: convention: expected one of ['torch', 'keras', 'optax'] for SGD, "
    "found 'paper'": {"*": (lrcore.SGD, {"convention": "paper"})},
    "optimizers['*']: mechanic: expected False for DoG": {
        "*": (lrcore.DoG, {"mechanic": True})
    },
}  # fmt: skip


@pytest.mark.parametrize("said", REFUSED)
def test_wrong_optimizers_are_refused(said):
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(said)}"):
        Mixed(REFUSED[said], network())


COMMON = {
    "Mixed: unexpected keyword 'betas', which not every optimizer has; give it with "
    "AdamW: (AdamW, dict(betas=...))": {"betas": 0.5},
    "Mixed: unexpected keyword 'momentum', which not every optimizer has; give it with "
    "Muon": {"momentum": 0.5},
    "Mixed: unexpected keyword 'learning_rate'; did you mean lr?  There are lr, "
    "weight_decay, ": {"learning_rate": 0.5},
    "Mixed: unexpected keyword 'foo'; there are lr, weight_decay, ": {"foo": 0.5},
    "groups: expected patterns in one dict, with the optimizers, as in ": {
        "groups": {"*": {}}
    },
    "clip_norm: expected a finite number > 0": {"clip_norm": -1.0},
    "convention: expected one of 'torch', 'keras', 'optax', 'paper', found 'x'": {
        "convention": "x"
    },
    "optimizers['*.W']: convention: expected one of ['torch', 'keras', 'optax'] for "
    "Muon, found 'paper'": {"convention": "paper"},
    "optimizers['*.W']: weight_decay: expected a finite number >= 0, found -1.0": {
        "weight_decay": -1.0
    },
}


@pytest.mark.parametrize("said", COMMON)
def test_wrong_common_keywords_are_refused(said):
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(said)}"):
        Mixed(MUON, network(), **COMMON[said])


def test_params_that_are_groups_already_are_refused():
    with pytest.raises(
        ValueError, match=r"^optimizers: found patterns, and params that"
    ):
        Mixed(MUON, [{"params": network()}])


def test_messages_are_short():
    for value in WRONG.values():
        assert refused(Mixed, value, network())
        assert refused(Mixed, {"*": value}, network())
        assert refused(Mixed, {"*": (value, {})}, network())
        assert refused(Mixed, {"*": (lrcore.SGD, {"lr": value})}, network()) or (
            callable(value)
        )
        assert refused(Mixed, {"W": lrcore.SGD}, value)
        assert refused(Mixed, {"*": lrcore.SGD}, network(), convention=value)
    long = type("n" * 10**6, (lrcore.SGD,), {"step": Stepping.step})
    assert refused(Mixed, {"*": long}, network())
    assert refused(Mixed, {"*": lrcore.SGD}, network(), **{"k" * 10**6: 1})
    lasting = type("n" * 10**6, (lrcore.AdamW,), {})
    assert refused(Mixed, {"*": (lasting, {"lr": -1})}, network())
    assert refused(Mixed, {"*": lasting}, network(), betas=0.5)
