"""An optimizer that is copied or pickled together with its params."""

import copy
import pickle

import numpy as np
import pytest
from cases import cases
from composed import gradients, optimizer, split, weights
from helpers import all_same, each_kind, same_states

import lrcore
from lrcore.schedules import Cosine

pytestmark = pytest.mark.isa


def pickled(thing):
    return pickle.loads(pickle.dumps(thing))


each_way = cases("way", [copy.deepcopy, pickled])


@each_kind
@each_way
def test_a_copy_goes_on_by_itself(name, way):
    params = weights()
    opt = optimizer(name, params, lr=Cosine(0.1, total=20), ema_decay=0.5)
    for t, absent in enumerate([None, 1, None]):
        grads = gradients(params, t)
        if absent is not None:
            grads[absent] = None
        opt.step(split(grads))
    twins, twin = way((params, opt))
    assert type(twin) is type(opt)
    assert all_same(twins, params)
    before = [p.copy() for p in params]
    assert twin.step(split(gradients(params, 3)))
    assert all_same(params, before)
    assert not all_same(twins, params)
    assert opt.step(split(gradients(params, 3)))
    assert all_same(twins, params)
    assert same_states(twin.state, opt.state)
    assert (twin.t, twin._plan.steps) == (opt.t, opt._plan.steps)


@each_way
def test_all_that_was_set_is_copied(way):
    params = {"a": np.zeros(2), "none": None}
    opt = lrcore.SGD(params, lr=1.0, momentum=0.9, accumulate=4, clip_norm=1.0)
    opt.clip_norm = 2.0
    opt.param_groups[0]["momentum"] = 0.0
    opt.add_group([np.zeros(3)], lr=0.5)
    opt.step([{"a": np.ones(2), "none": None}, [None]])
    twins, twin = way((params, opt))
    assert (twin.clip_norm, twin.accumulate) == (2.0, 4)
    assert [dict(g.hyper) for g in twin.param_groups] == [
        dict(g.hyper) for g in opt.param_groups
    ]
    assert twin.param_groups[0].params is twins
    assert twin.flush()
    assert opt.flush()
    assert twins["a"].tolist() == params["a"].tolist()
    assert twin._plan.steps == opt._plan.steps == [1, 0]


@each_way
def test_what_is_copied_with_it_stays_one(way):
    groups = [{"params": np.zeros(1)}, {"params": np.zeros(1), "lr": 0.5}]
    opt = lrcore.SGD(groups)
    plateau = lrcore.ReduceOnPlateau(0.25, patience=0)
    for group in opt.param_groups:
        group["lr"] = plateau
    copies, twin, its = way((groups, opt, plateau))
    assert twin.param_groups[0]["lr"] is its
    assert twin.param_groups[0]["params"] is copies[0]["params"]
    its.update(1.0)
    its.update(2.0)
    assert twin.lr == 0.025
    assert opt.lr == 0.25
    copies[0]["params"] = np.zeros(1)
    with pytest.raises(ValueError, match=r"^params\[0\]\['params'\]: found another"):
        twin.step([np.ones(1), np.ones(1)])


class Own(lrcore.SGD):
    """A user's own, with attributes and another constructor."""

    __slots__ = ("count", "unset")

    def __init__(self, params):
        super().__init__(params, lr=1.0)
        self.count = [3]


@each_way
def test_a_subclass_keeps_its_attributes(way):
    own = Own(np.zeros(2))
    twin = way(own)
    assert type(twin) is Own
    assert twin.count == [3]
    assert twin.count is not own.count
    assert twin.lr == 1.0
    assert twin.step(np.ones(2))
    assert twin.param_groups[0]["params"].tolist() == [-1.0, -1.0]


def test_what_is_in_a_step_is_not_copied():
    opt = lrcore.SGD([np.zeros(1), np.zeros(1)])
    opt.step_one(0, np.ones(1))
    with pytest.raises(RuntimeError, match="step_one has yet to step"):
        copy.deepcopy(opt)
