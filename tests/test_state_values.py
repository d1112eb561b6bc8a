"""Saved values that no run has are refused; those of a run that diverged are loaded.

They come as a dict, or in a file with right digests: one that a faulty program has
written, or somebody who means harm.
"""

import os
import warnings
from math import isfinite

import numpy as np
import pytest
from cases import cases
from helpers import KINDS, bits_of
from wrong import LONGEST
from wrong import refused as is_refused

import lrcore
from lrcore.checkpoint import _save
from lrcore.optimizers.base.saved_states import _never_negative

SHAPES = {"W": (3, 4), "b": (5,)}


def drawn(*seed):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape) for name, shape in SHAPES.items()}


def stepped(name, steps=12, **given):
    params = drawn(0)
    opt = KINDS[name](params, lr=0.05, **given)
    for t in range(steps):
        opt.step(drawn(1, t), loss=-1.0)
    return opt, params


def never_negative(opt, i):
    leaf = opt._tree.leaves[i]
    return {*_never_negative(opt, leaf, opt.state[i])}


@pytest.mark.parametrize("name", KINDS)
def test_the_registry_names_the_states_that_are_never_negative(name):
    """After steps with random gradients, each other state has a negative number."""
    opt, _ = stepped(name, accumulate=1)
    names, negative, declared = set(), {"u"}, set()
    for i, state in enumerate(opt.state):
        declared |= never_negative(opt, i)
        names |= state.keys()
        negative |= {n for n, a in state.items() if (a < 0).any()}
    # These are single numbers, which have either sign.
    assert names - negative - {"numerator", "lr_change", "gathered_loss"} == declared


OPTIONS = [{}, {"mechanic": True}, {"ema_decay": 0.5, "accumulate": 2}]


def loads(opt, way, tmp_path, monkeypatch, change):
    """Load the changed state of an optimizer into a new one, by a dict or a file."""
    saved = opt.state_dict()
    change(saved)
    if way == "dict":
        return lambda new: new.load_state_dict(saved)
    written = _save._optimizer

    def changed(*args):
        content = written(*args)
        change(content)
        return content

    monkeypatch.setattr(_save, "_optimizer", changed)
    opt.save(tmp_path / "run.safetensors")
    return lambda new: new.load(tmp_path / "run.safetensors")


WAYS = ["dict", "file"]


@cases("way", WAYS)
@pytest.mark.parametrize("name", KINDS)
def test_a_negative_number_where_no_step_makes_one(name, way, tmp_path):
    first, _ = stepped(name, 2)
    places = [(k, state) for k in range(2) for state in never_negative(first, k)]
    for i, state in places:
        opt, _ = stepped(name, 2)
        opt.state[i][state].reshape(-1)[-1] = -1e-30
        saved = opt.state_dict()
        opt.save(tmp_path / "run.safetensors")
        opt, params = stepped(name, 3)
        before = bits_of(opt, params.values())
        # A group's arrays share the numbers that it carries.
        shared = state in opt._carries and not opt._carries_per_array
        place = "W" if shared else [*SHAPES][i]
        load = {"dict": opt.load_state_dict, "file": opt.load}[way]
        source = {"dict": saved, "file": tmp_path / "run.safetensors"}[way]
        wanted = rf"^state of params\['{place}'\]: {state}: expected .*>= 0"
        with pytest.raises(ValueError, match=wanted):
            load(source)
        assert bits_of(opt, params.values()) == before


@pytest.mark.parametrize("row", [0, 2, 3])
def test_a_negative_number_of_mechanic(row):
    opt, _ = stepped("SGD", mechanic=True)
    saved = opt.state_dict()
    saved["state"][0]["mechanic"][row, 1] = -1.0
    with pytest.raises(ValueError, match=r"mechanic: expected numbers >= 0"):
        opt.load_state_dict(saved)
    saved = opt.state_dict()
    saved["state"][0]["mechanic"][1, 1] = -1.0  # a product has either sign
    opt.load_state_dict(saved)


@pytest.mark.parametrize("hidden", [np.nan, np.inf])
def test_a_negative_number_beside_nan(hidden):
    opt, _ = stepped("Adam")
    saved = opt.state_dict()
    saved["state"][1]["v"][:] = [hidden, 1, -2, hidden, 1]
    with pytest.raises(ValueError, match=r"\['b'\]: v: .*found -2.0"):
        opt.load_state_dict(saved)


@pytest.mark.parametrize("name", KINDS)
def test_a_run_that_diverged_can_be_loaded(name, tmp_path):
    """As it was, to the bit, with a warning that names what is not finite."""
    opt, params = stepped(name)
    for i, value in enumerate((np.nan, -np.inf)):
        for key, array in opt.state[i].items():
            if key == "u":  # which is not saved
                array[...] = 0
                continue
            never = key in never_negative(opt, i)
            array.reshape(-1)[0] = abs(value) if never else value
    params["W"][0, 0] = np.nan
    opt.save(tmp_path / "run.safetensors")
    (new, others), (dict_only, _) = stepped(name, 0), stepped(name, 0)
    with pytest.warns(UserWarning, match="NaN or infinity in .* had diverged") as told:
        restored = new.load(tmp_path / "run.safetensors")
    assert len(told) == 1
    assert len(str(told[0].message)) <= LONGEST
    assert "params['W']" in restored.nonfinite
    assert bits_of(new, others.values()) == bits_of(opt, params.values())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        dict_only.load_state_dict(opt.state_dict())
    assert len(told) == any(opt.state_dict()["state"])  # one, if there are states
    assert bits_of(dict_only, []) == bits_of(opt, [])


def test_numbers_whose_sum_is_too_large_are_finite(tmp_path):
    params = np.full(4, 3e38, np.float32)
    opt = lrcore.Adam(params)
    opt.state[0]["m"][:] = opt.state[0]["v"][:] = 3e38
    opt.save(tmp_path / "run.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opt.load_state_dict(opt.state_dict())
        assert opt.load(tmp_path / "run.safetensors").nonfinite == []


NO_COUNTS = [-1, True, 1.0, "1", None, float("nan"), float("inf"), [], 10**400]
NO_FACTORS = [0.0, -1.0, True, "1", None, float("nan"), float("inf"), [], 10**400]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        *(("t", wrong) for wrong in NO_COUNTS),
        *(("gathered", wrong) for wrong in [*NO_COUNTS, 2**31, 2]),
        *(("steps", wrong) for wrong in [*NO_COUNTS, [1, -1], [1, True], [1, 9], [1]]),
        *(("gathered_scale", wrong) for wrong in NO_FACTORS),
        *(("gathered_skips", wrong) for wrong in [0, 1.0, "True", None, [True]]),
        *(("without_gradient", wrong) for wrong in [0, [-1], [2], [True], ["0"]]),
        *(("version", wrong) for wrong in [0, True, 1.0, "1", None]),
        *(("optimizer", wrong) for wrong in ["Adam", None, 1, ["SGD"]]),
    ],
)
def test_counts_that_no_run_has(way, entry, wrong, tmp_path, monkeypatch):
    opt, _ = stepped("SGD", 3, momentum=0.9, accumulate=2)
    given = wrong
    if way == "file" and isinstance(wrong, float) and not isfinite(wrong):
        given = {"$float": str(wrong)}  # JSON has no such number
    load = loads(
        opt, way, tmp_path, monkeypatch, lambda saved: saved.update({entry: given})
    )
    new, params = stepped("SGD", 1, momentum=0.9, accumulate=2)
    before = bits_of(new, params.values())
    with pytest.raises((TypeError, ValueError), match=rf"^{entry}\b.*expected") as why:
        load(new)
    assert len(str(why.value)) <= LONGEST
    assert bits_of(new, params.values()) == before


# What JSON can be in place of each entry of a file.
ODD = [
    *(None, True, -1, 1.5, "x", "", [], {}, [[]], [None], {"a": 1}, 10**400),
    *({"$array": "nope"}, {"$array": 5}, {"$tuple": 5}, {"$dict": [1]}, {"$no": 1}),
    *({"$state": [1]}, {"$random": {}}, {"$schedule": {}}, {"$function": 3}),
    *({"$complex": 1}, {"$number": "x"}, {"$float": []}, {"$same": 9}),
    *({"$state": ["ReduceOnPlateau", {}, 0]}, {"$float": "nan"}),
]


def test_any_other_content_is_refused_and_changes_nothing(tmp_path, monkeypatch):
    """With right digests: it is refused by an error of lrcore, or it can be loaded."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no file is to last
    written, path = _save._optimizer, tmp_path / "run.safetensors"
    opt, _ = stepped("Adam", 3, accumulate=2)
    groups, states = {"lr", "betas", "ema_decay"}, {"m", "v", "acc"}
    places = [
        *((key,) for key in opt.state_dict()),
        *((key, 0) for key in ("steps", "param_groups", "optimizers", "state")),
        *(("options", key) for key in ("grad_scale", "accumulate", "denormals")),
        *(("param_groups", 0, key) for key in groups),
        *(("state", 0, key) for key in states),
    ]
    new, params = stepped("Adam", 1, accumulate=2)
    before = bits_of(new, params.values())
    refused = 0
    for *above, last in places:
        for wrong in ODD:

            def changed(*args, above=above, last=last, wrong=wrong):
                content = at = written(*args)
                for key in above:
                    at = at[key]
                at[last] = wrong
                return content

            monkeypatch.setattr(_save, "_optimizer", changed)
            opt.save(path)
            if is_refused(new.load, path):
                refused += 1
                assert bits_of(new, params.values()) == before, (above, last, wrong)
            else:
                new, params = stepped("Adam", 1, accumulate=2)
    assert refused > 0.9 * len(places) * len(ODD)
