"""Groups by patterns of names (`groups`): which array belongs where."""

import inspect
import re
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patterns import NAMES, NO_DECAY, PATHS, Layer, network

import lrcore


def where(params, groups):
    """The pattern of each array, in order, by its path."""
    opt = lrcore.SGD(params, groups=groups)
    of = {path: group.pattern for group in opt.param_groups for path in group.paths}
    return [of[path] for path in opt.state_dict()["names"]]


# A pattern, and the names that it matches.
MATCHES = {
    "*": NAMES,
    "*.bias": [name for name in NAMES if name.endswith("bias")],
    "*bias": [name for name in NAMES if name.endswith("bias")],
    "bias": ["bias"],
    "layers.*": NAMES[:4],
    "layers.0.*": NAMES[:2],
    "layers.[01].bias": ["layers.0.bias", "layers.1.bias"],
    "layers.[!0].*": NAMES[2:4],
    "layers.?.weight": ["layers.0.weight", "layers.1.weight"],
    "head.weight": ["head.weight"],
    "*.weight": [name for name in NAMES if name.endswith("weight")],
    **{path: [name] for path, name in zip(PATHS, NAMES, strict=True)},
}


@pytest.mark.parametrize("pattern", MATCHES)
def test_what_a_pattern_matches(pattern):
    found = where(network(), {pattern: {}})
    wanted = [pattern if name in MATCHES[pattern] else None for name in NAMES]
    assert found == wanted


@pytest.mark.parametrize(
    ("params", "names"),
    [
        (np.ones(2), [""]),
        ([np.ones(2), np.ones(1)], ["0", "1"]),
        ({"a.b": np.ones(1), "c": {1: np.ones(1)}}, ["a.b", "c.1"]),
        ({("x", 0): np.ones(1)}, ["('x', 0)"]),
        (OrderedDict(W=np.ones(1), none=None, b=np.ones(2)), ["W", "b"]),
        ((Layer({"q": np.ones(1)}, None),), ["0.weight.q"]),
    ],
)
def test_names_are_paths_with_dots(params, names):
    for k, name in enumerate(names):
        found = where(params, {re.sub(r"([*?[])", r"[\1]", name): {}})
        assert found == [*[None] * k, *found[k : k + 1], *[None] * (len(names) - k - 1)]
        assert found[k] is not None


def test_upper_and_lower_case_differ():
    params = {"W": np.ones(1), "w": np.ones(1)}
    assert where(params, {"W": {}}) == ["W", None]


def test_a_path_is_not_taken_for_a_class_of_characters():
    params = {"b": np.ones(1), "bc": np.ones(1), "c": np.ones(1)}
    assert where(params, {"['bc']": {}}) == [None, "['bc']", None]
    assert where(params, {"[bc]": {}}) == ["[bc]", None, "[bc]"]


def test_the_first_pattern_counts():
    groups = {"layers.0.bias": {"lr": 0.1}, "*.bias": {"lr": 0.2}, "*": {"lr": 0.3}}
    params = network()
    opt = lrcore.SGD(params, lr=1.0, groups=groups)
    assert [group.pattern for group in opt.param_groups] == [*groups]
    assert [group["lr"] for group in opt.param_groups] == [0.1, 0.2, 0.3]
    assert opt.param_groups[0].paths == ["['layers'][0]['bias']"]
    assert [len(group.paths) for group in opt.param_groups] == [1, 3, 3]


def test_the_rest_is_the_first_group_with_the_optimizers_own_numbers():
    opt = lrcore.AdamW(network(), lr=0.5, weight_decay=0.1, groups=NO_DECAY)
    rest, biases = opt.param_groups
    assert (rest.pattern, biases.pattern) == (None, "*.bias")
    assert [len(rest.paths), len(biases.paths)] == [3, 4]
    assert (opt.lr, rest["weight_decay"], biases["weight_decay"]) == (0.5, 0.1, 0.0)
    assert biases["lr"] == 0.5


def test_a_pattern_without_numbers_keeps_arrays_from_later_ones():
    groups = {"head.*": {}, "*": {"lr_scale": 0.1}}
    opt = lrcore.SGD(network(), lr=1.0, groups=groups)
    assert [group["lr_scale"] for group in opt.param_groups] == [1.0, 0.1]
    assert opt.param_groups[0].paths == PATHS[4:6]


def test_groups_show_what_went_where():
    params = {"W": np.ones(2), "b": np.ones(1)}
    opt = lrcore.SGD(params, lr=0.5, groups={"b": {"lr_scale": 2.0}})
    assert repr(opt.param_groups) == (
        """(ParamGroup(SGD, pattern=None, paths=["['W']"], lr=0.5), """
        """ParamGroup(SGD, pattern='b', paths=["['b']"], lr=0.5, lr_scale=2.0))"""
    )
    assert "groups=" not in repr(opt)
    assert opt.param_groups[1]["params"] == {"['b']": params["b"]}
    assert opt.groups == {"b": {"lr_scale": 2.0}}
    plain = lrcore.SGD([{"params": params}, {"params": np.ones(1)}])
    assert [group.paths for group in plain.param_groups] == [
        ["[0]['W']", "[0]['b']"],
        ["[1]"],
    ]
    assert all(group.optimizer is lrcore.SGD for group in opt.param_groups)


@pytest.mark.parametrize("groups", [None, {}])
def test_no_pattern_is_no_group(groups):
    opt = lrcore.SGD(network(), groups=groups)
    assert len(opt.param_groups) == 1
    assert opt.param_groups[0].paths == PATHS
    assert "pattern" not in repr(opt)


def test_what_was_given_is_not_kept():
    own = {"lr": 0.5}
    groups = {"*": own}
    opt = lrcore.SGD(network(), groups=groups)
    own["lr"] = groups["x"] = 0.25
    assert opt.groups == {"*": {"lr": 0.5}}
    with pytest.raises(ValueError, match=r"^groups: used at construction only"):
        opt.groups = {}


def test_the_signature_and_the_docs_have_both():
    for name in ("groups", "lr_scale"):
        assert name in inspect.signature(lrcore.Adam).parameters
        assert f"\n{name} : " in inspect.getdoc(lrcore.Adam)


# --- any params and patterns ----------------------------------------------------------


words = st.sampled_from(["a", "b", "bias", "W"])
trees = st.recursive(
    st.builds(np.ones, st.integers(1, 3)),
    lambda inner: st.one_of(
        st.dictionaries(words, inner, min_size=1, max_size=3),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)
pieces = st.lists(
    st.one_of(words, st.sampled_from(["*", "0", "?", "[01]"])), max_size=3
)


def flat(tree, name=""):
    """The arrays by name."""
    if isinstance(tree, np.ndarray):
        return [(name, tree)]
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    dot = "." if name else ""
    return [each for key, value in pairs for each in flat(value, f"{name}{dot}{key}")]


def as_regex(pattern):
    """An independent reading of a pattern."""
    regex = ""
    for piece in re.findall(r"\[01\]|.", pattern):
        regex += {"*": ".*", "?": ".", "[01]": "[01]"}.get(piece, re.escape(piece))
    return f"(.*[.])?{regex[4:]}" if pattern.startswith("*.") else regex


@given(tree=trees, patterns=st.lists(pieces.map(".".join), unique=True, max_size=3))
@settings(max_examples=200, deadline=None)
def test_each_array_is_in_the_group_of_the_first_pattern_that_matches(tree, patterns):
    names = flat(tree)
    wanted = [
        next((p for p in patterns if re.fullmatch(as_regex(p), name)), None)
        for name, _ in names
    ]
    used = [pattern for pattern in patterns if pattern in wanted]
    groups = {pattern: {"lr": 1.0 + k} for k, pattern in enumerate(patterns)}
    if used != patterns:
        with pytest.raises(ValueError, match=r"matches (no array|only arrays)"):
            lrcore.SGD(tree, groups=groups)
        return
    opt = lrcore.SGD(tree, lr=0.5, groups=groups)
    of = {id(leaf.array): g for g in opt.param_groups for leaf in g.leaves}
    assert [of[id(a)].pattern for _, a in names] == wanted
    assert [of[id(a)]["lr"] for _, a in names] == [
        groups.get(pattern, {"lr": 0.5})["lr"] for pattern in wanted
    ]
