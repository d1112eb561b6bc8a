"""Containers of any depth, containers within themselves, and whole paths."""

import numpy as np
import pytest
from wrong import f4, message, nested

import lrcore
from lrcore._shared import trees


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
