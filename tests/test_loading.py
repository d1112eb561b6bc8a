"""Groups that are added, and states that are loaded into other networks."""

import warnings

import numpy as np
import pytest
from helpers import KINDS, all_same, bits_of, same_states

import lrcore
from lrcore.schedules import Cosine

pytestmark = pytest.mark.isa


def drawn(shape, seed):
    return np.random.default_rng(seed).normal(size=shape)


def stepped(opt, grads, steps):
    for t in range(steps):
        assert opt.step({key: drawn(s, (t, i)) for i, (key, s) in enumerate(grads)})
    return opt


# --- add_group ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    # The rate of the others is made of the gradients of all groups.
    [name for name, kind in KINDS.items() if not kind._sums_all],
)
def test_a_group_that_is_added_steps_like_an_optimizer_of_its_own(name):
    body, head = drawn((3, 2), 0), drawn(4, 1)
    bodies, heads = body.copy(), head.copy()
    opt = KINDS[name](body, lr=0.05, ema_decay=0.5)
    one, other = (KINDS[name]([p], lr=0.05, ema_decay=0.5) for p in (bodies, heads))
    for t in range(3):
        opt.step(drawn((3, 2), (0, t)))
        one.step([drawn((3, 2), (0, t))])
    group = opt.add_group({"head": head})
    assert group is opt.param_groups[1]
    for t in range(3, 6):
        assert opt.step([drawn((3, 2), (0, t)), {"head": drawn(4, (1, t))}])
        one.step([drawn((3, 2), (0, t))])
        other.step([drawn(4, (1, t))])
    assert all_same([body, head], [bodies, heads])
    assert same_states(opt.state, (*one.state, *other.state))
    assert (opt.t, opt._plan.steps) == (6, [6, 3])


def test_its_hyper_parameters_are_the_constructors_where_nothing_is_said():
    opt = lrcore.AdamW(np.zeros(1), lr=0.2, weight_decay=0.3, clip_norm=1.0)
    opt.lr = 0.1
    group = opt.add_group([np.zeros(2)], weight_decay=0.0)
    assert (group["lr"], group["weight_decay"], opt.clip_norm) == (0.2, 0.0, 1.0)
    with pytest.raises(TypeError, match="clip_norm"):
        opt.add_group(np.zeros(1), clip_norm=2.0)
    assert len(opt.param_groups) == len(opt.state) == 2


def test_a_group_added_while_gathering_has_zeros_for_the_calls_before():
    p, q = np.zeros(1), np.zeros(1)
    opt = lrcore.SGD(p, lr=1.0, accumulate=2)
    opt.step(np.ones(1))
    opt.add_group(q)
    assert opt.step([np.ones(1), np.ones(1)])
    assert (p[0], q[0]) == (-1.0, -0.5)


@pytest.mark.parametrize(
    "wrong", ["the same array", "a part of it", "a group", "nothing"]
)
def test_what_cannot_be_added_is_refused(wrong):
    p = drawn(6, 0)
    opt = lrcore.Adam(p)
    opt.step(np.ones(6))
    before = bits_of(opt, [p])
    params = {
        "the same array": p,
        "a part of it": p[:2],
        "a group": {"params": np.zeros(1), "lr": 1.0},
        "nothing": "text",
    }[wrong]
    with pytest.raises((TypeError, ValueError), match="params"):
        opt.add_group(params)
    assert bits_of(opt, [p]) == before
    assert opt.step(np.ones(6))


def test_nothing_is_added_within_a_round_or_a_loan():
    opt = lrcore.SGD([np.zeros(1), np.zeros(1)], ema_decay=0.5)
    opt.step_one(0, np.ones(1))
    with pytest.raises(RuntimeError, match="step_one has yet to step"):
        opt.add_group(np.zeros(1))
    opt.step_one(1, None)
    with opt.averaged(), pytest.raises(RuntimeError, match="lent"):
        opt.add_group(np.zeros(1))


# --- load_state_dict ------------------------------------------------------------------

OLD = [("a", 2), ("b", (2, 3)), ("lost", 4)]
NEW = [("new", 3), ("b", (2, 3)), ("a", 2)]


def network(layers):
    return {key: drawn(shape, 7) for key, shape in layers}


@pytest.mark.parametrize("name", ["Adam", "LAMB", "Prodigy", "Adafactor"])
def test_states_find_their_parameter_by_its_path(name):
    kind = KINDS[name]
    old = stepped(kind(network(OLD), ema_decay=0.5), OLD, 3)
    opt = kind(network(NEW), ema_decay=0.5)
    fresh = kind(network(NEW), ema_decay=0.5)
    found = opt.load_state_dict(old.state_dict(), strict=False, match="path")
    assert found == (["['new']"], ["['lost']"])
    assert same_states([opt.state[2], opt.state[1]], old.state[:2])
    own = [name for name in opt.state[0] if name not in kind._carries]
    assert same_states(
        [{name: s[name] for name in own} for s in opt.state[:1]],
        [{name: s[name] for name in own} for s in fresh.state[:1]],
    )
    assert opt._plan.steps == [0, 3, 3]
    assert opt.t == 3
    assert opt.step({key: drawn(shape, 9) for key, shape in NEW})


def test_by_path_the_order_does_not_matter_and_what_is_missing_is_refused():
    old = stepped(lrcore.Adam(network(OLD)), OLD, 2)
    turned = lrcore.Adam(network(OLD[::-1]))
    assert turned.load_state_dict(old.state_dict(), match="path") == ([], [])
    assert same_states(turned.state[::-1], old.state)
    opt = lrcore.Adam(network(NEW))
    before = bits_of(opt, [])
    with pytest.raises(ValueError, match=r"new.*lost.*strict=False"):
        opt.load_state_dict(old.state_dict(), match="path")
    with pytest.raises(ValueError, match=r"^names: expected"):
        opt.load_state_dict(old.state_dict())
    assert bits_of(opt, []) == before


def test_by_place_an_added_group_is_missing():
    p = np.zeros(2)
    saved = stepped(lrcore.Adam({"a": p}), [("a", 2)], 2).state_dict()
    opt = lrcore.Adam({"a": np.zeros(2)}, lr=0.5)
    opt.add_group({"b": np.zeros(3)}, lr=0.25)
    assert opt.load_state_dict(saved, strict=False) == (["[1]['b']"], [])
    assert [g["lr"] for g in opt.param_groups] == [1e-3, 0.25]
    assert opt._plan.steps == [2, 0]


def test_a_shape_that_changed_is_refused_also_where_not_strict():
    old = stepped(lrcore.Adam(network(OLD)), OLD, 1)
    opt = lrcore.Adam({"a": np.zeros(5)})
    with pytest.raises(ValueError, match="expected shape"):
        opt.load_state_dict(old.state_dict(), strict=False, match="path")
    assert opt.t == 0


def test_a_longer_run_keeps_its_own_schedule():
    w = np.zeros(2)
    opt = lrcore.SGD(w, lr=Cosine(0.1, total=100), clip_norm=1.0)
    for _ in range(100):
        opt.step(np.ones(2))
    more = lrcore.SGD(w, lr=Cosine(0.1, total=200), clip_norm=2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        more.load_state_dict(opt.state_dict(), hyper="mine")
    assert more.lr == pytest.approx(0.05)
    assert (more.t, more.clip_norm) == (100, 2.0)
    with pytest.warns(UserWarning, match=r"lr: .*total=100.* takes the place of .*200"):
        more.load_state_dict(opt.state_dict())
    assert (more.lr, more.clip_norm) == (0.0, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is the saved one now
        more.load_state_dict(opt.state_dict())


@pytest.mark.parametrize(
    "wrong", [{"match": "name"}, {"hyper": None}, {"strict": "no"}, {"match": 1}]
)
def test_words_that_there_are_not_are_refused(wrong):
    opt = lrcore.SGD(np.zeros(1))
    ((name, _),) = wrong.items()
    with pytest.raises((TypeError, ValueError), match=f"^{name}: expected"):
        opt.load_state_dict(opt.state_dict(), **wrong)


@pytest.mark.parametrize("t", [2**53 + 1, 10**400])
def test_a_count_that_no_step_could_follow_is_refused(t):
    """Before, it was loaded, and each later step failed."""
    opt = lrcore.Adam(np.ones(2))
    saved = {**opt.state_dict(), "t": t, "steps": [t]}
    with pytest.raises(ValueError, match=r"^t: expected at most 2\^53 steps"):
        opt.load_state_dict(saved)
    with pytest.raises(ValueError, match=r"^t: expected at most 2\^53 steps"):
        opt.t = t
    assert opt.t == 0


def test_more_gathered_gradients_than_can_be_counted_are_refused():
    """Before anything is changed."""
    opt = lrcore.SGD(np.ones(2), lr=0.1, accumulate=2)
    saved = opt.state_dict()
    saved["options"]["accumulate"], saved["gathered"] = 2**40, 2**31
    with pytest.raises(ValueError, match=r"^gathered: expected less than"):
        opt.load_state_dict(saved)
    assert opt.accumulate == 2
