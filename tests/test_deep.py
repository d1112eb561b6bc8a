"""Containers of any depth, containers within themselves, and whole paths."""

import copy
import pickle
from dataclasses import fields

import numpy as np
import pytest
from wrong import f4, message, nested

import lrcore
from lrcore._shared import trees
from lrcore.schedules import Constant, Cosine, Join, Schedule
from lrcore.schedules._schedule import DEEPEST


@pytest.mark.parametrize("kind", ["list", "dict"])
@pytest.mark.parametrize("depth", [1_000, 20_000])
def test_containers_may_be_nested_deep(kind, depth):
    p = np.ones(3, f4)
    opt = lrcore.SGD(nested(depth, p, kind), lr=0.5, ema_decay=0.5)
    assert opt.step(nested(depth, np.ones(3, f4), kind))
    assert (p == 0.5).all()
    said = message(opt.step, nested(depth, np.ones(3), kind))
    assert said.startswith("grads[")
    assert "expected dtype float32" in said
    message(opt.step, nested(depth - 1, np.ones(3, f4), kind))
    message(opt.step, nested(depth + 1, np.ones(3, f4), kind))
    average = opt.ema
    for _ in range(depth):
        average = average["k" if kind == "dict" else 0]
    assert (average == 0.5).all()
    assert lrcore.global_norm(nested(depth, p, kind)) == pytest.approx(0.75**0.5)


def test_a_container_within_itself_far_down():
    tree = inner = {}
    for _ in range(5_000):
        inner["k"] = {}
        inner = inner["k"]
    inner["again"] = tree
    said = message(lrcore.SGD, tree)
    assert said.endswith("['again']: found a container that contains itself")


def test_one_container_at_two_places_is_no_cycle():
    shared = [np.ones(2)]
    with pytest.raises(ValueError, match=r"^params\['b'\]\[0\]: found to share memory"):
        lrcore.SGD({"a": shared, "b": shared})
    twice = lrcore.global_norm([shared, shared, (), {}])
    assert twice == 2.0


def test_paths_are_whole_where_they_are_kept():
    params = {"k" * 10**4: [np.ones(2), {("a", 1): np.ones(1)}]}
    names = lrcore.SGD(params).state_dict()["names"]
    assert names == [f"['{'k' * 10**4}'][0]", f"['{'k' * 10**4}'][1][('a', 1)]"]
    tree = trees.flatten([params, np.ones(1)], grouped=True)
    assert [leaf.group for leaf in tree.leaves] == [0, 0, 1]
    inner = "[0]" + names[0].removesuffix("[0]")
    paths = [node.path for node in tree.nodes]
    assert paths == ["", "[0]", inner, inner + "[1]"]


def pickled(thing):
    return pickle.loads(pickle.dumps(thing))


@pytest.mark.parametrize("way", [copy.deepcopy, pickled])
@pytest.mark.parametrize("kind", ["list", "dict", "tuple"])
def test_a_deep_optimizer_is_copied_with_its_params(kind, way):
    """Before them: pickle and deepcopy recurse into params that they meet first."""
    params = nested(10_000, np.zeros(2), kind)
    opt = lrcore.SGD([params, params_of_two := {"a": np.zeros(1)}], lr=1.0)
    twin, (twins, of_two) = way((opt, (params, params_of_two)))
    grads = [nested(10_000, np.ones(2), kind), {"a": np.ones(1)}]
    assert twin.step(grads)
    assert of_two["a"] == -1.0
    assert twin.param_groups[0]["params"] == [twins, of_two]
    while not isinstance(twins, np.ndarray):
        twins = twins["k" if kind == "dict" else 0]
    assert twins.tolist() == [-1, -1]
    assert params_of_two["a"] == 0.0


@pytest.mark.parametrize("way", [copy.deepcopy, pickled])
def test_groups_and_stopping_of_deep_params_are_copied(way):
    params, others = nested(2_000, np.zeros(2)), {"a": np.zeros(1)}
    opt = lrcore.SGD([{"params": params}, {"params": others, "lr": 2.0}], lr=1.0)
    stopping = lrcore.EarlyStopping(params=params)
    stopping.update(1.0)
    twin, again = way((opt, stopping))
    assert twin.step([nested(2_000, np.ones(2)), {"a": np.ones(1)}])
    assert twin.param_groups[1]["params"]["a"] == -2.0
    array = twin._tree.leaves[0].array
    assert array.tolist() == [-1, -1]
    again.restore()
    assert array.tolist() == [0, 0]


@pytest.mark.parametrize("match", ["place", "path"])
def test_deep_params_are_saved_and_loaded(match, tmp_path):
    params, others = (nested(10_000, np.zeros(2), "dict") for _ in range(2))
    opt, other = (lrcore.SGD(p, lr=1.0, momentum=0.5) for p in (params, others))
    opt.step(nested(10_000, np.ones(2), "dict"))
    opt.save(tmp_path / "run")
    other.load_state_dict(opt.state_dict(), match=match)
    assert other.state[0]["m"].tolist() == [1, 1]
    other.load(tmp_path / "run", match=match)
    assert other._tree.leaves[0].array.tolist() == [-1, -1]


def test_a_file_takes_containers_of_some_depth(tmp_path):
    opt, wanted = lrcore.SGD(np.zeros(2)), {"x": nested(200, 1.0, "dict")}
    opt.save(tmp_path / "run", extra=wanted)
    assert opt.load(tmp_path / "run").extra == wanted


# --- schedules ------------------------------------------------------------------------

MANY = 4_000
SIDE_BY_SIDE = {
    "sum": lambda s: s + 0.0,
    "product": lambda s: 1.0 * s,
    "then": lambda s: s.then(MANY, 0.5),
}
WITHIN = {  # with the argument that the error names
    "warmup": (lambda s: s.warmup(1), "after"),
    "quotient": (lambda s: s / 2, "of"),
    "sums and products": (lambda s: 2 * (s + 1), "other"),
    "then": (lambda s: Constant(0.5).then(1, s), "other"),
    "join": (lambda s: Join((0.5, s), (1,)), "schedules[1]"),
}


@pytest.mark.parametrize("name", SIDE_BY_SIDE)
def test_any_number_of_schedules_may_be_side_by_side(name):
    base = Cosine(0.5, total=100)
    s = again = base
    for _ in range(MANY):
        s = SIDE_BY_SIDE[name](s)
    for _ in range(3):
        again = SIDE_BY_SIDE[name](again)
    assert s(0) == base(0)
    assert s(np.array([0])) == base(0)
    assert s._depth == 2
    for equal in (pickle.loads(pickle.dumps(s)), Schedule.from_dict(s.to_dict())):
        assert equal == s
        assert hash(equal) == hash(s)
    made_again = type(again)(*(getattr(again, f.name) for f in fields(again)))
    assert made_again == again
    assert made_again._depth == 2


@pytest.mark.parametrize("name", WITHIN)
def test_schedules_within_each_other_have_a_limit(name, tmp_path):
    """Each that can be made can be used and saved."""
    (more, argument), s = WITHIN[name], Cosine(0.5, total=100)
    levels = more(s)._depth - 1
    for _ in range((DEEPEST - 1) // levels):
        s = more(s)
    assert DEEPEST - 1 <= s._depth <= DEEPEST
    assert message(more, s).startswith(f"{argument}: expected at most 100 schedules ")
    assert s(1) == s(np.array([1]))
    assert copy.deepcopy(s) == pickled(s) == Schedule.from_dict(s.to_dict()) == s
    assert hash(s) == hash(copy.deepcopy(s))
    assert repr(s)
    opt, other = (lrcore.SGD(np.ones(2), lr=s) for _ in range(2))
    opt.step(np.ones(2))
    opt.save(tmp_path / "run")
    assert other.load(tmp_path / "run").replaced == []
    assert other.param_groups[0]["lr"] == s


def test_a_dict_of_too_many_schedules_within_each_other():
    inner = Constant(0.5).to_dict()
    for _ in range(MANY):
        inner = {"schedule": "Product", "factors": [inner]}
    said = message(Schedule.from_dict, inner)
    assert said.startswith("saved: expected at most 100 schedules within each other")


def test_a_join_is_no_other_than_those_within_each_other():
    """Only if it ends before the new step is it cut off, by a join around it."""
    a, b, c = Cosine(0.5, total=10), 2.0 * Constant(0.5), Cosine(0.1, total=3)
    t = np.arange(12)
    for at in (9, 5, 4):
        flat, within = a.then(5, b).then(at, c), Join((Join((a, b), (5,)), c), (at,))
        assert (flat == within) == (at == 4)
        assert flat(t).tolist() == within(t).tolist()
        assert [flat(k) for k in range(12)] == [within(k) for k in range(12)]
