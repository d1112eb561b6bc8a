"""Groups by patterns of names: copies, checkpoints, groups that join."""

import copy
import pickle

import numpy as np
import pytest
from cases import cases
from helpers import KINDS, all_same, each_kind, same_states
from patterns import ALL, NO_DECAY, PATHS, leaves, nested, network, run

import lrcore
from lrcore.schedules import Linear


@each_kind
@cases("way", [copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))])
def test_a_copy_goes_on_by_itself(name, way):
    params = network()
    opt = KINDS[name](params, groups=ALL, lr=0.1)
    run(opt, params, range(2))
    twins, twin = way((params, opt))
    assert repr(twin.param_groups) == repr(opt.param_groups)
    shared = twin.param_groups[1].params["['bias']"]
    assert shared is twins["bias"]
    run(opt, params, range(2, 4))
    run(twin, twins, range(2, 4))
    assert all_same(leaves(params), leaves(twins))
    assert same_states(opt.state, twin.state)


def test_groups_that_cannot_join_leave_the_others_as_they_are():
    opt = lrcore.SGD(network(), groups=NO_DECAY)
    before = repr(opt)
    with pytest.raises(ValueError, match=r"^agc_axis: .*"):
        opt.add_group(np.ones((2, 2, 2)), agc=0.1, agc_axis=(0, 2))
    assert repr(opt) == before


def test_groups_that_join_come_last():
    params, more = network(), np.ones(3)
    opt = lrcore.SGD(params, lr=1.0, groups=NO_DECAY)
    run(opt, params, range(1))
    opt.add_group(more, lr=0.5)
    assert opt.step([nested([p * 0 for p in leaves(params)]), np.ones(3)])
    assert more.tolist() == [0.5] * 3
    assert opt.param_groups[1].paths == [f"[0]{PATHS[k]}" for k in (1, 3, 5, 6)]
    assert [group.pattern for group in opt.param_groups] == [None, "*.bias", None]
    last = [np.ones(1)]
    opt.add_group(last, lr=2.0)
    assert opt.param_groups[3].paths == ["[2][0]"]
    twins, twin = copy.deepcopy(((params, more, last), opt))
    assert twin.step([nested([p * 0 for p in leaves(params)]), more * 0, [np.ones(1)]])
    assert twins[2][0].tolist() == [-1.0]
    again = lrcore.SGD(network(), groups=NO_DECAY)
    again.add_group(np.ones(3))
    again.add_group([np.ones(1)])
    again.load_state_dict(opt.state_dict())
    assert [group["lr"] for group in again.param_groups] == [1.0, 1.0, 0.5, 2.0]


@each_kind
def test_a_checkpoint_goes_on_to_the_bit(name):
    params, twins = network(), network()
    opt = KINDS[name](params, groups=ALL, lr=Linear(0.1, 0.01, 9))
    run(opt, params, range(2))
    twin = KINDS[name](twins, groups=ALL)
    twin.load_state_dict(pickle.loads(pickle.dumps(opt.state_dict())))
    for to, p in zip(leaves(twins), leaves(params), strict=True):
        to[...] = p
    run(opt, params, range(2, 4))
    run(twin, twins, range(2, 4))
    assert all_same(leaves(params), leaves(twins))
    assert same_states(opt.state, twin.state)


def test_states_are_loaded_by_path_whatever_the_groups():
    opt = lrcore.Adam(network(), lr=0.5)
    run(opt, network(), range(2))
    twin = lrcore.Adam(network(), lr=0.5, groups=NO_DECAY)
    with pytest.raises(ValueError, match=r"^param_groups: expected 2, found 1"):
        twin.load_state_dict(opt.state_dict())
    loaded = twin.load_state_dict(opt.state_dict(), match="path", hyper="mine")
    assert loaded == ([], [])
    assert same_states(opt.state, twin.state)
    assert twin.t == 2


def test_hyper_parameters_are_loaded_by_pattern():
    """Another order, and a network that has grown."""
    groups = {"head.*": {"lr": 0.5}, "layers.0.*": {"lr": 0.25}}
    opt = lrcore.SGD(network(), lr=1.0, groups=groups)
    back = dict(reversed(groups.items()))
    twin = lrcore.SGD(network(), groups={k: {} for k in back})
    twin.load_state_dict(opt.state_dict())
    assert [group["lr"] for group in twin.param_groups] == [1.0, 0.25, 0.5]
    grown = lrcore.SGD(network(), lr=7.0, groups={"layers.1.*": {}, **groups})
    said = r"^param_groups: expected 4, found 3"
    with pytest.raises(ValueError, match=said):
        grown.load_state_dict(opt.state_dict())
    grown.load_state_dict(opt.state_dict(), strict=False, match="path")
    assert [group["lr"] for group in grown.param_groups] == [1.0, 7.0, 0.5, 0.25]
    other = lrcore.SGD(network(), groups={"head.*": {}, "layers.1.*": {}})
    said = (
        r"^patterns: expected \[None, 'head.\*', 'layers.1.\*'\], in any order, found "
        r"\[None, 'head.\*', 'layers.0.\*'\]; strict=False loads"
    )
    with pytest.raises(ValueError, match=said):
        other.load_state_dict(opt.state_dict())
    before = opt.state_dict()
    for wrong in (None, [], "ab", [None, None]):
        with pytest.raises(ValueError, match=r"^patterns: expected 3 patterns, found"):
            opt.load_state_dict({**before, "patterns": wrong})
    without = {k: v for k, v in before.items() if k != "patterns"}
    with pytest.raises(ValueError, match=r"^patterns: expected"):
        opt.load_state_dict(without)


def test_a_dict_from_before_is_loaded():
    opt = lrcore.Adam(network(), lr=0.5)
    run(opt, network(), range(2))
    saved = opt.state_dict()
    del saved["patterns"], saved["optimizers"], saved["param_groups"][0]["lr_scale"]
    twin = lrcore.Adam(network(), lr=0.1, lr_scale=0.25)
    twin.load_state_dict(saved)
    assert (twin.lr, twin.lr_scale) == (0.5, 1.0)
    assert same_states(opt.state, twin.state)
