"""Arrays without a gradient rest, and each array counts its own steps."""

import pickle

import numpy as np
import pytest
from cases import cases
from composed import FEATURES, Feature, gradients, optimizer, split, weights
from helpers import KINDS, all_same, bits_of, each_kind, same_states

import lrcore

pytestmark = pytest.mark.isa

AVERAGES = {"ema_decay": 0.5, "swa_start": 2}
# Each array has numbers of its own, so that what another one does changes nothing.
ALONE = [
    name
    for name, kind in KINDS.items()
    if not kind._gauge and (not kind._carries or kind._carries_per_array)
]


def only(arrays, present):
    return [a if k in present else None for k, a in enumerate(arrays)]


def own(opt, params, k):
    """The bytes of a parameter and of what it has for itself."""
    arrays = [params[k], *opt.state[k].values()]
    return [a.tobytes() for a in arrays]


@each_kind
@cases("feature", [None, *sorted(FEATURES.keys() - {"accumulate"})])
def test_an_array_without_a_gradient_rests(name, feature):
    """And so do its states, averages and decay, also beside others of its group."""
    params = weights()
    made = optimizer(
        name, params, FEATURES.get(feature), lr=0.05, weight_decay=0.1, **AVERAGES
    )
    shared = set(made._carries)
    for t, present in enumerate([{0, 1, 2, 3}, {1, 3}, {0, 1}, {2}, {0, 1, 2, 3}]):
        before = [own_apart(made, params, k, shared) for k in range(4)]
        assert made.step(split(only(gradients(params, t), present))), t
        after = [own_apart(made, params, k, shared) for k in range(4)]
        moved = {k for k in range(4) if after[k] != before[k]}
        assert moved == present, t
    assert made.t == 5
    assert made._plan.steps == [3, 4, 3, 3]


def own_apart(opt, params, k, shared):
    arrays = {"p": params[k], **opt.state[k]}
    apart = {"u", "acc", *(() if opt._carries_per_array else shared)}
    return [a.tobytes() for name, a in arrays.items() if name not in apart]


@pytest.mark.parametrize("name", ALONE)
def test_what_joins_late_or_pauses_steps_as_by_itself(name):
    """To the bit, with bias corrections and averages of its own count."""
    turns = [{0, 1}, {0, 1, 2}, {2, 3}, {0, 2, 3}, {0, 1, 2, 3}, {1, 3}, {0, 1, 2, 3}]
    params = weights()
    opt = optimizer(name, params, lr=0.05, **AVERAGES)
    singles = [
        KINDS[name]([p.copy()], **arguments(opt, k)) for k, p in enumerate(weights())
    ]
    for t, present in enumerate(turns):
        grads = gradients(params, t)
        assert opt.step(split(only(grads, present)))
        for k in present:
            assert singles[k].step([grads[k]])
    assert opt._plan.steps == [single.t for single in singles]
    for k, single in enumerate(singles):
        (leaf,) = single._tree.leaves
        assert params[k].tobytes() == leaf.array.tobytes(), k
        assert same_states([opt.state[k]], single.state), k
    wanted = [single.swa[0] for single in singles]
    assert all_same([a for group in opt.swa for a in group], wanted)


def arguments(opt, k):
    """The hyper-parameters of the group of array k."""
    return dict(opt.param_groups[0 if k < 2 else 1].hyper)


@each_kind
def test_a_step_without_any_gradient_counts_and_changes_nothing(name):
    params = weights()
    opt = optimizer(name, params, lr=0.05, telemetry=True)
    assert opt.step(split(gradients(params, 0)))
    before = [own(opt, params, k) for k in range(4)]
    assert not opt.step(split([None] * 4))
    assert [own(opt, params, k) for k in range(4)] == before
    assert opt.t == 2
    assert not opt.report.applied


def test_norms_and_reports_leave_it_out():
    params = [np.ones(2), np.ones(2)]
    opt = lrcore.SGD(params, lr=1.0, clip_norm=1.0, telemetry=True)
    opt.step([np.array([3.0, 4.0]), np.array([30.0, 40.0])])
    norm = np.linalg.norm(params[0])
    opt.step([None, np.array([0.0, 2.0])])
    assert opt.report.grad_norm == 2.0
    assert opt.report.clip == 0.5
    resting = opt.reports("tensor")["[0]"]
    assert (resting.grad_norm, resting.update_norm) == (0.0, 0.0)
    assert resting.param_norm == pytest.approx(norm, rel=1e-15)


def test_a_frozen_part_stays_as_it_is_beside_clip_norm():
    p = {"body": np.ones(2), "head": np.ones(2)}
    opt = lrcore.AdamW(p, lr=0.1, clip_norm=1.0, weight_decay=0.1)
    for _ in range(20):
        opt.step({"body": np.ones(2), "head": np.ones(2)})
    before = p["body"].copy()
    for _ in range(20):
        opt.step({"body": None, "head": np.ones(2)})
    assert p["body"].tolist() == before.tolist()


def test_an_array_that_joins_late_takes_its_first_step_at_full_bias_correction():
    params = [np.zeros(1), np.zeros(1)]
    opt = lrcore.Adam(params, lr=0.1)
    for _ in range(1000):
        opt.step([np.ones(1), None])
    opt.step([np.ones(1), np.ones(1)])
    assert params[1][0] == pytest.approx(-0.1, rel=1e-6)  # eps is 1e-8


def test_a_schedule_counts_all_steps():
    params = [np.zeros(1), np.zeros(1)]
    opt = lrcore.SGD(params, lr=lambda t: float(t))
    opt.step([np.ones(1), None])
    opt.step([np.ones(1), np.ones(1)])
    assert [p[0] for p in params] == [-1.0, -1.0]


# --- gathered -------------------------------------------------------------------------


def test_gathering_takes_the_mean_over_all_calls():
    """A gradient that is absent in a call adds nothing, as in torch."""
    params = [np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1)]
    opt = lrcore.SGD(params, lr=1.0, accumulate=4)
    one = np.ones(1)
    for present in ({0, 1}, {0}, {0, 2}, {0, 2}):
        opt.step(only([8 * one] * 4, present))
    assert [p[0] for p in params] == [-8.0, -2.0, -4.0, 0.0]
    assert opt._plan.steps == [1, 1, 1, 0]


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_a_run_continues_from_within_such_a_gathering(calls):
    turns = [{0, 1}, {1}, {1, 3}, {3}] * 2
    params, twins = weights(), weights()
    feature = Feature({"accumulate": 4})
    opt = optimizer("AdamW", params, feature, weight_decay=0.1)
    twin = optimizer("AdamW", twins, feature, weight_decay=0.1)
    for call, present in enumerate(turns):
        if call in (calls, 4 + calls):
            saved = pickle.loads(pickle.dumps(twin.state_dict()))
            twin = optimizer("AdamW", twins, feature)
            twin.load_state_dict(saved)
        grads = split(only(gradients(params, 0, call), present))
        assert opt.step(grads) is (call % 4 == 3)
        twin.step(grads)
    assert all_same(params, twins)
    assert same_states(opt.state, twin.state)
    assert opt._plan.steps == twin._plan.steps == [2, 2, 0, 2]


def test_zeroing_with_absent_gradients():
    grads = [np.ones(2), None]
    opt = lrcore.SGD([np.zeros(2), np.zeros(2)], zero_grads=True, accumulate=2)
    for _ in range(2):
        opt.step(grads)
        assert not grads[0].any()
        grads[0][:] = 1


# --- counts ---------------------------------------------------------------------------


def test_counts_are_saved_and_an_old_dict_has_one_for_all():
    params, twins = weights(), weights()
    opt, twin = optimizer("Adam", params), optimizer("Adam", twins)
    for present in ({0, 1, 2, 3}, {0, 2}, {0}):
        opt.step(split(only(gradients(params, 0), present)))
    saved = opt.state_dict()
    assert saved["steps"] == [3, 1, 2, 1]
    twin.load_state_dict(saved)
    assert twin._plan.steps == [3, 1, 2, 1]
    del saved["steps"], saved["without_gradient"]
    twin.load_state_dict(saved)
    assert twin._plan.steps == [3, 3, 3, 3]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("steps", None),
        ("steps", [0, 0, 0]),
        ("steps", [0, 0, 0, -1]),
        ("steps", [0, 0, 0, 9]),
        ("steps", [0, 0, 0, 0.5]),
        ("without_gradient", [4]),
        ("without_gradient", 0),
    ],
)
def test_counts_that_cannot_be_are_refused(key, value):
    params = weights()
    opt = optimizer("Adam", params)
    before = bits_of(opt, params)
    with pytest.raises((TypeError, ValueError), match=f"^{key}"):
        opt.load_state_dict({**opt.state_dict(), key: value})
    assert bits_of(opt, params) == before


def test_to_set_t_sets_the_counts():
    params = weights()
    opt = optimizer("Adam", params)
    opt.step(split(only(gradients(params, 0), {1})))
    opt.t = 7
    assert opt._plan.steps == [7] * 4


@pytest.mark.parametrize("name", ["DoG", "LAMB", "Muon", "Adafactor"])
def test_a_refused_step_counts_for_no_array(name):
    params, twins = weights(), weights()
    opt, twin = optimizer(name, params, lr=0.1), optimizer(name, twins, lr=0.1)
    before = bits_of(opt, params)
    with pytest.raises(TypeError, match="found str"):
        opt.step(split([None, *gradients(params, 1)[1:3], "text"]))
    assert bits_of(opt, params) == before
    for each in (opt, twin):
        assert each.step(split(gradients(params, 2)))
    assert all_same(params, twins)


def test_a_group_without_gradients_keeps_the_numbers_that_its_arrays_share():
    params = weights()
    opt = optimizer("Prodigy", params)
    for t in range(3):
        opt.step(split(gradients(params, t)))
    before = [{n: float(s[n]) for n in opt._carries} for s in opt.state]
    opt.step(split(only(gradients(params, 3), {2, 3})))
    after = [{n: float(s[n]) for n in opt._carries} for s in opt.state]
    assert after[0] == before[0]
    assert after[2] != before[2]


@each_kind
def test_counts_in_any_order_give_the_bits_of_a_plan_made_anew(name):
    """Which puts arrays with the same count into one group."""
    turns = [{0, 1, 2, 3}, {0, 1, 2}, {0, 1, 2}, {3}, {3}, {0, 1, 2, 3}, {0, 2}, {1, 3}]
    params, twins = weights(), weights()
    own = {"lr": 0.05, "weight_decay": 0.1, **AVERAGES}
    opt, twin = optimizer(name, params, **own), optimizer(name, twins, **own)
    for t, present in enumerate([*turns, {0, 1, 2, 3}]):
        saved = twin.state_dict()
        twin = optimizer(name, twins, **own)
        twin.load_state_dict(saved)
        for each in (opt, twin):
            assert each.step(split(only(gradients(params, t), present)))
        assert all_same(params, twins)
        assert same_states(opt.state, twin.state)
    assert opt._plan.steps == twin._plan.steps == [6, 6, 6, 6]


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_threads_change_no_bit(threads):
    shapes = [(30_011,), (5,), (40_000,), (20_003,)]
    params, twins = weights(shapes=shapes), weights(shapes=shapes)
    opt = optimizer("LAMB", params, clip_norm=1.0, num_threads=threads)
    twin = optimizer("LAMB", twins, clip_norm=1.0, num_threads=1)
    for each in (opt, twin):
        each._plan.parallel_from = 1
        for present in ({0, 1, 3}, {2}, {1, 2, 3}):
            assert each.step(split(only(gradients(params, 0), present)))
    assert all_same(params, twins)


# --- None in the params ---------------------------------------------------------------


def test_a_layer_without_a_bias():
    layers = {"a": {"w": np.zeros(2), "b": None}, "c": [None, np.zeros(1)]}
    opt = lrcore.SGD(layers, lr=1.0, ema_decay=0.5)
    one = {"a": {"w": np.ones(2), "b": None}, "c": [None, np.ones(1)]}
    assert opt.step(one)
    assert layers["a"]["w"].tolist() == [-1.0, -1.0]
    assert layers["a"]["b"] is None
    assert opt.ema["a"]["b"] is None
    assert opt.ema["c"][0] is None
    assert [*opt.state_dict()["names"]] == ["['a']['w']", "['c'][1]"]
    with pytest.raises(ValueError, match=r"^grads\['a'\]\['b'\]: expected None"):
        opt.step({"a": {"w": np.ones(2), "b": np.ones(1)}, "c": [None, np.ones(1)]})
    layers["a"]["b"] = np.zeros(1)
    with pytest.raises(ValueError, match=r"^params\['a'\]\['b'\]: found another"):
        opt.step(one)


def test_none_alone_is_no_params():
    with pytest.raises(TypeError, match="found None; pass the array"):
        lrcore.SGD(None)
    with pytest.raises(ValueError, match="at least one array"):
        lrcore.SGD([None, {"b": None}])
