"""Params that join an optimizer, and states of the optimizer that it was before."""

import numpy as np
import pytest
from wrong import message

import lrcore


def stepped(params, **options):
    opt = lrcore.Adam(params, **options)
    grads = {key: np.full_like(a, i + 1.0) for i, (key, a) in enumerate(params.items())}
    opt.step(grads)
    return opt


def net():
    return {"W": np.zeros((2, 2)), "b": np.zeros(2)}


@pytest.mark.parametrize("group", [{}, {"lr": 0.1}, {"weight_decay": 0.0, "eps": 1e-6}])
def test_a_group_as_in_torch_says_how_to_pass_it(group):
    opt = lrcore.Adam(net())
    for params in ({"params": np.ones(2), **group}, [{"params": np.ones(2), **group}]):
        assert message(opt.add_group, params).startswith("params: found a group; pass ")
    assert len(opt.param_groups) == 1


@pytest.mark.parametrize("params", [None, [], {}, {"a": [None]}], ids=str)
def test_nothing_cannot_join(params):
    opt = lrcore.Adam(net())
    said = message(opt.add_group, params)
    assert said == "params: expected at least one array, found none"
    assert len(opt.param_groups) == 1


def test_a_layer_that_is_called_params_joins():
    opt = lrcore.Adam(net())
    opt.add_group({"params": np.ones(2), "other": np.ones(2)})
    assert len(opt.state) == 4


def test_a_grown_optimizer_takes_the_states_of_before_by_path():
    old = stepped(net())
    opt = lrcore.Adam(net())
    opt.add_group(np.ones(3))
    loaded = opt.load_state_dict(old.state_dict(), strict=False, match="path")
    assert loaded == (["[1]"], [])
    for own, before in zip(opt.state, old.state, strict=False):
        np.testing.assert_array_equal(own["m"], before["m"])
    assert np.any(opt.state[1]["m"])


def test_one_without_groups_takes_the_states_of_a_grown_one():
    old = stepped(net())
    old.add_group({"head": np.ones(3)})
    opt = lrcore.Adam(net())
    loaded = opt.load_state_dict(old.state_dict(), strict=False, match="path")
    assert loaded.missing == []
    assert len(loaded.unexpected) == 1
    for own, before in zip(opt.state, old.state, strict=False):
        np.testing.assert_array_equal(own["m"], before["m"])


def test_arrays_that_only_their_group_tells_apart_are_missing():
    old = lrcore.Adam([{"params": net()}, {"params": net()}])
    opt = lrcore.Adam(net())
    loaded = opt.load_state_dict(old.state_dict(), strict=False, match="path")
    assert loaded.missing == ["['W']", "['b']"]


def test_groups_of_patterns_have_the_paths_of_the_params():
    groups = {"*b": {"weight_decay": 0.0}, "*": {}}
    old, opt = stepped(net(), groups=groups), lrcore.Adam(net())
    loaded = opt.load_state_dict(old.state_dict(), strict=False, match="path")
    assert not any(loaded)
    np.testing.assert_array_equal(opt.state["b"]["m"], old.state["b"]["m"])
