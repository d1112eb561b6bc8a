"""`project`: a function of the user's changes the params after each step."""

import copy
import pickle

import numpy as np
import pytest
from cases import cases
from composed import FEATURES, gradients, optimizer, split, weights
from helpers import (
    KINDS,
    all_same,
    bits_of,
    close,
    each_kind,
    each_pulled,
    same_states,
    taken,
)

import lrcore

pytestmark = pytest.mark.isa

FREE = ["AdamWScheduleFree", "SGDScheduleFree"]
each_projected = pytest.mark.parametrize("name", [k for k in KINDS if k not in FREE])
each_projected_alone = pytest.mark.parametrize(
    "name", [k for k, kind in KINDS.items() if k not in FREE and not kind._gauge]
)


def nonnegative(params):
    """Clip params of any structure, in place."""
    for group in params:
        for p in group:
            np.maximum(p, 0, out=p)


def alone(p):
    """Clip a single array."""
    np.maximum(p, 0, out=p)


def test_an_average_of_weights_that_are_kept_nonnegative_is_nonnegative():
    w = np.array([0.1])
    opt = lrcore.SGD(w, lr=1.0, swa_start=0, ema_decay=0.5, project=alone)
    for _ in range(10):
        assert opt.step(np.array([5.0]))
    assert (w[0], opt.swa[0], opt.ema[0]) == (0, 0, 0)


@each_projected
@cases("start, every", [(0, 1), (3, 2)])
def test_averages_are_those_of_the_projected_params(name, start, every):
    params, twins = weights(), weights()
    averages = {"ema_decay": 0.5, "swa_start": start, "swa_every": every}
    opt = optimizer(name, params, lr=0.05, project=nonnegative, **averages)
    by_hand = optimizer(name, twins, lr=0.05)
    record = []
    for t in range(1, 9):
        grads = split(gradients(params, t))
        assert opt.step(grads)
        assert by_hand.step(grads)
        nonnegative(split(twins))
        assert all_same(params, twins)
        if t == 1:
            ema = [p.copy() for p in params]
        ema = [0.5 * e + 0.5 * p for e, p in zip(ema, params, strict=True)]
        if t >= max(start, 1) and (t - max(start, 1)) % every == 0:
            record.append([p.copy() for p in params])
        swa = [np.mean(a, axis=0) for a in zip(*record, strict=True)]
        close([a for group in opt.ema for a in group], ema)
        close([a for group in opt.swa for a in group], swa or params)


@each_pulled
def test_lookahead_pulls_toward_the_projected_params(name):
    params, twins = weights(), weights()
    slow = [p.copy() for p in params]
    opt = optimizer(name, params, lr=0.05, lookahead_steps=2, project=nonnegative)
    by_hand = optimizer(name, twins, lr=0.05)
    for t in range(1, 8):
        grads = split(gradients(params, t))
        assert opt.step(grads)
        assert by_hand.step(grads)
        nonnegative(split(twins))
        if t % 2 == 0:
            for s, p in zip(slow, twins, strict=True):
                s += 0.5 * (p - s)
                p[...] = s
        close(params, twins)
        close([a for group in opt.slow for a in group], slow)


@each_projected
@cases("threads", [1, 3])
@cases("feature", [None, *FEATURES])
def test_a_function_that_changes_nothing_changes_no_bit(name, feature, threads):
    """Though the averages are a pass of their own."""
    shapes = [(40, 60), (), (2, 3, 4), (5000,)]
    params, twins = weights(shapes=shapes), weights(shapes=shapes)
    own = {"lr": 0.05, "ema_decay": 0.5, "swa_start": 2, "num_threads": threads}
    own |= taken(name, lookahead_steps=3)
    opt = optimizer(name, params, FEATURES.get(feature), project=id_of_none, **own)
    twin = optimizer(name, twins, FEATURES.get(feature), **own)
    opt._plan.parallel_from = twin._plan.parallel_from = 1
    for t in range(5):
        for call in range(opt.accumulate):
            grads = gradients(params, t, call)
            if t == 3:
                grads[1] = None
            done = opt.step(split(copy.deepcopy(grads)))
            assert done is twin.step(split(copy.deepcopy(grads)))
    assert all_same(params, twins)
    assert same_states(opt.state, twin.state)
    assert opt._plan.steps == twin._plan.steps
    if feature == "telemetry":
        assert repr(opt.report) == repr(twin.report)


def id_of_none(params):
    """Change nothing."""


def test_it_gets_the_params_as_they_were_passed():
    seen = []
    params = {"a": [np.zeros(1), None], "b": (np.zeros(2),)}
    opt = lrcore.SGD(params, project=seen.append)
    one = {"a": [np.ones(1), None], "b": (np.ones(2),)}
    opt.step(one)
    assert seen[-1] is params
    extra = np.zeros(3)
    opt.add_group(extra)
    opt.step([one, np.ones(3)])
    assert seen[-1][0] is params
    assert seen[-1][1] is extra
    opt = lrcore.SGD([{"params": params}, {"params": extra}], project=seen.append)
    opt.step([one, np.ones(3)])
    assert isinstance(seen[-1], list)
    assert seen[-1][0] is params


def test_it_is_called_once_for_each_update_and_sees_it_counted():
    p = np.zeros(1)
    seen = []
    opt = lrcore.SGD(p, lr=1.0, accumulate=2, skip_nonfinite=True)
    opt.project = lambda p: seen.append((opt.t, p[0]))
    for g in (2.0, 4.0, np.nan, 1.0, 5.0):  # the second update is skipped
        opt.step(np.array([g]))
    assert seen == [(1, -3.0)]
    assert opt.flush()
    assert seen == [(1, -3.0), (2, -8.0)]
    opt.step(None)
    opt.step(None)  # no gradient at all
    assert (opt.t, len(seen)) == (3, 2)


def test_the_report_is_of_the_change_before():
    p = np.array([1.0])
    opt = lrcore.SGD(p, lr=1.0, telemetry=True, project=alone)
    opt.step(np.array([5.0]))
    assert (p[0], opt.report.update_norm, opt.report.param_norm) == (0.0, 5.0, 4.0)


def test_averages_of_an_array_that_rests_rest():
    params = [np.ones(1), np.ones(1)]
    opt = lrcore.SGD(params, lr=1.0, ema_decay=0.5, project=lambda ps: alone(ps[0]))
    opt.step([np.ones(1), np.ones(1)])
    params[1][:] = 9
    opt.step([np.array([2.0]), None])
    assert [a[0] for a in opt.ema] == [0.0, 0.0]
    assert opt._plan.steps == [2, 1]


@each_projected_alone
def test_step_one_projects_at_the_end_of_its_round(name):
    params, twins = weights(), weights()
    calls = []

    def counted(params):
        calls.append(opt.t)
        nonnegative(params)

    own = {"lr": lambda t: 0.05 / (1 + t), "ema_decay": 0.5, "swa_start": 1}
    own |= taken(name, lookahead_steps=2)
    opt = optimizer(name, params, project=counted, **own)
    twin = optimizer(name, twins, project=nonnegative, **own)
    for t in range(6):
        grads = gradients(params, t)
        if t == 3:
            grads[2] = None
        for k in (2, 0, 3, 1):
            assert calls == [*range(1, t + 1)]
            opt.step_one(k, grads[k])
        assert twin.step(split(grads))
        assert all_same(params, twins)
        assert same_states(opt.state, twin.state)
    assert opt._plan.steps == twin._plan.steps == [6, 6, 5, 6]


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_after_an_error_the_step_is_complete(error, one_by_one):
    """Averages see what the function left; nothing is lost."""

    def raises(ps):
        alone(ps[0])
        raise error("mine")

    params, twins = [np.array([1.0]), np.ones(1)], [np.array([1.0]), np.ones(1)]
    own = {"lr": 1.0, "momentum": 0.5, "ema_decay": 0.5, "swa_start": 1}
    opt = lrcore.SGD(params, project=raises, **own)
    twin = lrcore.SGD(twins, project=lambda ps: alone(ps[0]), **own)
    for grads in ([np.array([3.0]), np.ones(1)], [np.array([3.0]), None]):
        with pytest.raises(error, match="mine"):
            step(opt, grads, one_by_one)
        step(twin, grads, one_by_one)
        assert all_same(params, twins)
        assert same_states(opt.state, twin.state)
        assert (opt.t, opt._plan.steps) == (twin.t, twin._plan.steps)
    opt.project = None
    step(opt, [np.ones(1), np.ones(1)], one_by_one)
    assert opt.t == 3


def step(opt, grads, one_by_one):
    if not one_by_one:
        return opt.step(grads)
    return [opt.step_one(k, g) for k, g in enumerate(grads)][-1]


def test_a_function_that_makes_new_arrays_is_refused():
    p = np.array([1.0])
    opt = lrcore.SGD(p, lr=1.0, project=lambda p: np.maximum(p, 0))
    with pytest.raises(TypeError, match=r"^project: .* returned numpy.ndarray; write"):
        opt.step(np.array([3.0]))
    assert (p[0], opt.t) == (-2.0, 1)  # the step is complete
    for fine in (
        lambda p: np.maximum(p, 0, out=p),
        lambda p: [np.maximum(q, 0, out=q) for q in (p,)],
        alone,
    ):
        opt.project = fine
        p[:] = -1
        assert opt.step(np.ones(1))
        assert p[0] == 0
    opt.project = lambda p: {"norm": 3.0}
    with pytest.raises(TypeError, match=r"^project: .* returned float; write"):
        opt.step(np.ones(1))


def test_a_function_that_replaces_an_array_is_refused():
    params = {"w": np.array([1.0])}
    w = params["w"]

    def replaces(params):
        params["w"] = np.maximum(params["w"], 0)

    opt = lrcore.SGD(params, lr=1.0, ema_decay=0.5, project=replaces)
    with pytest.raises(ValueError, match=r"^params\['w'\]: found another object"):
        opt.step({"w": np.array([3.0])})
    assert (w[0], opt.t, opt.state[0]["ema"][0]) == (-2.0, 1, -2.0)
    params["w"] = w
    opt.project = lambda params: params["w"].clip(0, out=params["w"])
    assert opt.step({"w": np.array([3.0])})


@pytest.mark.parametrize("also_raises", [False, True])
def test_an_array_that_is_moved_is_not_averaged(also_raises):
    params = [np.zeros(3)]

    def moves(params):
        params[0].resize(2_000_000, refcheck=False)
        if also_raises:
            raise ZeroDivisionError("mine")

    opt = lrcore.SGD(params, lr=1.0, ema_decay=0.5, project=moves)
    error = ZeroDivisionError if also_raises else ValueError
    with pytest.raises(error, match="mine" if also_raises else "memory was moved"):
        opt.step([np.ones(3)])
    assert opt.state[0]["ema"].tolist() == [0, 0, 0]
    assert opt.t == 1


def test_an_array_that_is_made_read_only_is_not_averaged():
    params = [np.zeros(3)]
    freeze = lambda params: params[0].setflags(write=False)  # noqa: E731 # as a user's
    opt = lrcore.SGD(params, lr=1.0, lookahead_steps=1, project=freeze)
    with pytest.raises(ValueError, match=r"^params\[0\]: found a read-only array"):
        opt.step([np.ones(3)])
    assert params[0].tolist() == [-1, -1, -1]


def test_of_several_optimizers_it_gets_all_params():
    params = {"embed": np.array([1.0]), "w": np.array([1.0])}
    by_path = {"embed*": lrcore.Adagrad, "*": lrcore.SGD}
    opt = lrcore.Mixed(
        by_path,
        params,
        lr=3.0,
        ema_decay=0.5,
        project=lambda ps: [np.maximum(p, 0, out=p) for p in ps.values()],
    )
    assert opt.step({"embed": np.ones(1), "w": np.ones(1)})
    assert [p[0] for p in params.values()] == [a[0] for a in opt.ema.values()] == [0, 0]
    with pytest.raises(ValueError, match=r"^project: expected None for SGDSch"):
        lrcore.Mixed({"*": lrcore.SGDScheduleFree}, params, project=alone)


@pytest.mark.parametrize("name", FREE)
def test_schedule_free_learning_refuses_it(name):
    error = rf"^project: expected None for {name}, whose params .*; project a copy of"
    with pytest.raises(ValueError, match=error):
        KINDS[name](np.ones(2), project=alone)
    opt = KINDS[name](np.ones(2))
    with pytest.raises(ValueError, match=error):
        opt.project = alone
    assert opt.project is None


def test_it_can_be_set_and_not_within_itself():
    p = np.array([1.0])
    opt = lrcore.SGD(p, lr=1.0)

    def itself(p):
        opt.project = None

    opt.project = itself
    with pytest.raises(RuntimeError, match="in the middle of a step"):
        opt.step(np.ones(1))
    opt.project = None
    assert opt.step(np.array([3.0]))
    assert p[0] == -3


@pytest.mark.parametrize(
    "way", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))]
)
def test_a_copy_projects_its_own_params(way):
    params = weights()
    opt = optimizer("Adam", params, lr=0.5, ema_decay=0.5, project=nonnegative)
    opt.step(split(gradients(params, 0)))
    twins, twin = way((params, opt))
    opt.step(split(gradients(params, 1)))
    twin.step(split(gradients(params, 1)))
    assert twin.project is nonnegative
    assert bits_of(opt, params) == bits_of(twin, twins)


def test_a_state_dict_leaves_it_out():
    p, twin = np.ones(2), np.ones(2)
    saved = lrcore.SGD(p, project=alone).state_dict()
    assert "project" not in saved["options"]
    opt = lrcore.SGD(twin, project=id_of_none)
    opt.load_state_dict(saved)
    assert opt.project is id_of_none


@each_kind
def test_without_it_nothing_is_called(name):
    assert KINDS[name](np.ones(2)).project is None
