"""Copies and checkpoints of a Mixed."""

import copy
import pickle

import pytest
from helpers import all_same, same_states
from mixtures import network, run, same

import lrcore
from lrcore import Mixed
from lrcore.schedules import Linear

SEVERAL = {
    "embed": (lrcore.Prodigy, {"d0": 1e-3}),
    "*.W": (lrcore.Muon, {"lr": Linear(0.02, 0.01, 9)}),
    "*.b": (lrcore.AdamW, {"mechanic": True}),
    "head": lrcore.Adafactor,
}


@pytest.mark.parametrize(
    "way", [copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))]
)
def test_a_copy_goes_on_by_itself(way):
    params = network()
    opt = Mixed(SEVERAL, params, ema_decay=0.5, clip_norm=1.0)
    run(opt, params, range(2))
    twins, twin = way((params, opt))
    assert repr(twin) == repr(opt)
    run(opt, params, range(2, 4))
    run(twin, twins, range(2, 4))
    assert same(params, twins)
    assert same_states(opt.state, twin.state)


@pytest.mark.parametrize("match", ["place", "path"])
def test_one_checkpoint(match):
    params, twins = network(), network()
    opt = Mixed(SEVERAL, params, clip_norm=1.0)
    run(opt, params, range(2))
    saved = pickle.loads(pickle.dumps(opt.state_dict()))
    back = dict(reversed(SEVERAL.items()))
    twin = Mixed(back, twins)
    twin.load_state_dict(saved, match=match)
    for k, p in params.items():
        twins[k][...] = p
    assert (twin.clip_norm, twin.t) == (1.0, 2)
    run(opt, params, range(2, 4))
    run(twin, twins, range(2, 4))
    assert same(params, twins)
    assert same_states(opt.state, twin.state)


def test_checkpoints_of_other_optimizers_are_refused():
    opt = Mixed({"embed": lrcore.Adam, "*": lrcore.AdamW}, network())
    saved, before = opt.state_dict(), opt.state_dict()
    swapped = Mixed({"embed": lrcore.AdamW, "*": lrcore.Adam}, network())
    said = r"^state of params\['embed'\]: expected that of AdamW, found that of Adam$"
    for way in ({}, {"match": "path", "hyper": "mine", "strict": False}):
        with pytest.raises(ValueError, match=said):
            swapped.load_state_dict(saved, **way)
    with pytest.raises(ValueError, match=r"^optimizer: expected the state of AdamW"):
        lrcore.AdamW(network()).load_state_dict(saved)
    with pytest.raises(ValueError, match=r"^optimizers: expected 6 entries, found 1"):
        opt.load_state_dict({**saved, "optimizers": ["AdamW"]})
    assert str(opt.state_dict()) == str(before)


def test_a_network_that_grows():
    params = network()
    small = {k: p.copy() for k, p in params.items() if "1" not in k}
    old = Mixed({"*.W": lrcore.Muon, "*": lrcore.AdamW}, small)
    old.step({k: p * 0.5 for k, p in small.items()})
    opt = Mixed({"*.W": lrcore.Muon, "*": lrcore.AdamW}, params)
    loaded = opt.load_state_dict(old.state_dict(), strict=False, match="path")
    assert loaded == (["['hidden.1.W']", "['hidden.1.b']"], [])
    assert all_same([opt.state[("head",)]["m"]], [old.state[("head",)]["m"]])
    assert not opt.state[("hidden.1.W",)]["m"].any()
