"""What is refused of groups by patterns of names."""

import re
from functools import partial

import numpy as np
import pytest
from patterns import network
from wrong import WRONG, message, refused

import lrcore

REFUSED = {
    "groups: the pattern '*.bais' matches no array; did you mean '*.bias', "
    "'*.1.bias', '*.0.bias'?  There are 'layers.0.weight', ": {"*.bais": {}},
    "groups: the pattern 'layer.0.*' matches no array; did you mean 'layers.0.*', "
    "'layers.1.*', 'layers.*'?": {"layer.0.*": {}},
    "groups: the pattern 'zzz' matches no array; there are 'layers.0.weight'": {
        "zzz": {}
    },
    "groups: the pattern 'LAYERS.*' matches no array; there are": {"LAYERS.*": {}},
    "groups: 'head.bias' matches only arrays that '*.bias' matched before, and the "
    "first match counts; put it first, or leave it out": {
        "*.bias": {},
        "head.bias": {},
    },
    "groups: expected a dict from patterns to dicts of hyper-parameters or None, found "
    "[('*', {})]": [("*", {})],
    "groups: expected patterns for keys, such as '*.bias', found 0 (int)": {0: {}},
    "groups['*']: expected a dict of hyper-parameters, found 0.0": {"*": 0.0},
    "groups['*']: unexpected keyword 'wd'; did you mean weight_decay?": {
        "*": {"wd": 0.0}
    },
    "groups['*']: unexpected keyword 'lrscale'; did you mean lr_scale?": {
        "*": {"lrscale": 0.1}
    },
    "groups['*']: unexpected keyword 'clip_norm', which belongs to the whole optimizer:"
    " give it beside the params, or set opt.clip_norm = ....": {
        "*": {"clip_norm": 1.0}
    },
    "groups['*']: unexpected keyword 'params'": {"*": {"params": []}},
    "groups['*.bias']: lr: expected a finite number >= 0, found -1": {
        "*.bias": {"lr": -1}
    },
    "groups['*']: lr_scale: expected a finite number >= 0, or a schedule, found 'x'": {
        "*": {"lr_scale": "x"}
    },
}


@pytest.mark.parametrize("said", REFUSED)
def test_wrong_groups_are_refused(said):
    params = network()
    error = f"^{re.escape(said)}"
    with pytest.raises((TypeError, ValueError), match=error):
        lrcore.SGD(params, groups=REFUSED[said])


def test_there_is_one_way_at_a_time_to_give_groups():
    said = r"^groups: found patterns, and params that are a list of groups; pass the "
    with pytest.raises(ValueError, match=said):
        lrcore.SGD([{"params": network(), "lr": 0.1}], groups={"*": {}})


def test_wrong_params_are_told_before_wrong_patterns():
    with pytest.raises(ValueError, match=r"^params: expected at least one"):
        lrcore.SGD({}, groups={"*": {}})
    with pytest.raises(TypeError, match=r"^params\['W'\]\[0\]: expected"):
        lrcore.SGD({"W": [1.0, 2.0]}, groups={"b": {}})


def test_messages_are_short():
    params = {"W" * 1000 + str(k): np.ones(1) for k in range(100)}
    make = partial(lrcore.SGD, params)
    for value in WRONG.values():
        assert refused(make, groups=value)
        assert refused(make, groups={"*": value})
        assert refused(make, groups={"*": {"lr": value}}) or callable(value)
        if getattr(type(value), "__hash__", None) is not None:
            assert refused(make, groups={value: {}})
    names = {f"{'W' * 1000}{k}": {} for k in range(100)}
    assert "matched before" in message(partial(make, groups={**names, "*": {}}))
