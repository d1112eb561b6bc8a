"""Errors about arrays: short, and made in linear time, whatever the user passed."""

import sys

import numpy as np
import pytest

import lrcore
from lrcore import _check, _tree, _words

LONGEST = 2048
f4 = np.float32


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no repr")


def message(f, *args, error=(TypeError, ValueError, RuntimeError, AttributeError)):
    with pytest.raises(error) as raised:
        f(*args)
    assert len(str(raised.value)) <= LONGEST
    return str(raised.value)


# --- words ----------------------------------------------------------------------------


def test_a_long_text_loses_its_middle():
    assert _words.shortened("a" * _words.MOST) == "a" * _words.MOST
    short = _words.shortened("begin" + "." * 10**6 + "end")
    assert len(short) <= _words.MOST
    assert (short[:5], short[-3:]) == ("begin", "end")
    assert " ... " in short


deep = []
for _ in range(100_000):
    deep = [deep]
itself = []
itself.append(itself)


SHOWN = [
    (1.5, "1.5"),
    ("it's", '"it\'s"'),
    ((1,), "(1,)"),
    ({"b": 1, "a": [2, None]}, "{'b': 1, 'a': [2, None]}"),
    ({}, "{}"),
    (np.float32(0.5), repr(np.float32(0.5))),
    ([[[[1]]]], "[[[[...]]]]"),
    (10**5000, "<int>"),
    ([10**5000], "<list>"),
]
LONG = {
    "str": "x" * 10**6,
    "bytes": b"x" * 10**6,
    "list": [0] * 10**6,
    "dict": dict.fromkeys(range(10**5)),
    "set": {*range(10**5)},
    "deep": deep,
    "cycle": itself,
    "unprintable": Unprintable(),
    "unprintables": [Unprintable()],
    "array": np.zeros(10**6),
    "all": {(i, "y" * 10**4): deep for i in range(9)},
    "object of a long type": type("n" * 10**6, (), {})(),
}


def test_what_is_shown():
    for value, wanted in SHOWN:
        assert _words.shown(value) == wanted


@pytest.mark.parametrize("name", LONG)
def test_whatever_is_shown_is_short(name):
    assert 0 < len(_words.shown(LONG[name])) <= _words.MOST
    assert 0 < len(_words.kind(LONG[name])) <= _words.MOST


def test_a_large_container_is_not_looked_at_as_a_whole():
    looks = []

    class Counted:
        def __repr__(self):
            looks.append(self)
            return "c"

    for container in ([Counted()] * 10**5, dict.fromkeys(range(10**5), Counted())):
        looks.clear()
        _words.shown(container)
        assert len(looks) < 100


def test_a_list_says_how_many_more_there_are():
    assert _words.listed([]) == ""
    assert _words.listed(["a", 1]) == "'a', 1"
    words = _words.listed(range(16_000)).split(", ")
    assert words[:3] == ["0", "1", "2"]
    assert words[-1] == f"... and {16_000 - len(words) + 1} more"
    assert len(_words.listed(["x" * 10**6] * 10**4)) < 600
    assert _words.listed([0.25, 0.5], lambda x: f"{x:.1f}") == "0.2, 0.5"


# --- messages of at most 2,048 characters ---------------------------------------------

KEYS = {
    "long": "k" * 475_000,
    "of emoji": "\N{GRINNING FACE}" * 10_000,
    "quoted": "'\"\n\\" * 10_000,
    "a tuple": tuple(range(10**5)),
    "nested": ("n", (("x" * 10**3,),) * 10**2),
    "a large int": 10**5000,
    "unprintable": Unprintable(),
}
STRUCTURED = np.zeros(3, [(f"f{i}" * 50, f4) for i in range(1000)])
BAD = {
    "None": None,
    "of a long type": LONG["object of a long type"],
    "structured": STRUCTURED,
    "of 64 dimensions": np.ones((1,) * 64, f4),
    "strided": np.broadcast_to(f4(1), (2**20, *(1,) * 60, 2**20)),
    "another dtype": np.ones(3),
}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("bad", BAD)
def test_messages_about_a_gradient_are_short(key, bad):
    key, bad = KEYS[key], BAD[bad]
    opt = lrcore.SGD({key: {key: [np.ones(3, f4), np.ones(3, f4)]}})
    said = message(opt.step, {key: {key: [np.ones(3, f4), bad]}})
    assert said.startswith("grads[")
    assert "[1]: " in said
    if bad is not None:  # which is no gradient there
        message(opt.step_one, 1, bad)


@pytest.mark.parametrize("key", KEYS)
def test_messages_about_shared_memory_are_short(key):
    key = KEYS[key]
    params = {key: {key: [np.ones(3, f4), np.ones(3, f4)]}}
    opt = lrcore.SGD(params, momentum=0.9, zero_grads=True)
    a, b = params[key][key]
    message(opt.step, params)
    message(opt.step, {key: {key: [b, b]}})
    message(opt.step, {key: {key: [a.copy(), opt.state[0]["m"]]}})
    g = np.ones(3, f4)
    message(opt.step, {key: {key: [g, g]}})
    fixed = g.copy()
    fixed.flags.writeable = False
    message(opt.step, {key: {key: [g, fixed]}})


@pytest.mark.parametrize("key", KEYS)
def test_messages_about_containers_are_short(key):
    key = KEYS[key]

    def tree():
        return {key: {key: [np.ones(3, f4)]}}

    opt = lrcore.SGD(tree())
    message(opt.step, {})
    message(opt.step, {key: {}})
    message(opt.step, {key: {key: ()}})
    message(opt.step, {key: {key: np.ones(3, f4)}})
    message(opt.step, {key: {key: [np.ones(3, f4)] * 10**5}})
    message(opt.step, {key: tree()[key] | {(key, i): 1 for i in range(99)}})
    message(opt.step, {key: tree()[key] | {f"{i}" * 10**4: 1 for i in range(99)}})
    params = tree()
    opt = lrcore.SGD(params)
    params[key][key][0] = np.ones(3, f4)
    message(opt.step, tree())
    params[key][key] = [params[key][key][0]]
    message(opt.step, tree())
    del params[key][key]
    message(opt.step, tree())


@pytest.mark.parametrize("key", KEYS)
def test_messages_about_params_are_short(key):
    key = KEYS[key]
    a = np.ones(3, f4)
    inside: dict = {key: {}}
    inside[key][key] = inside
    for wrong in (a.astype(int), [a, a], a[::2], iter(()), inside, STRUCTURED):
        message(lrcore.SGD, {key: wrong})
    fixed = np.ones(3, f4)
    fixed.flags.writeable = False
    message(lrcore.SGD, {key: fixed})
    message(lrcore.clip_by_global_norm, {key: fixed}, 1.0)
    message(lrcore.global_norm, {key: {key: [a, None]}})
    message(_check.units, LONG["str"], np.ones((2, 2)), [7] * 10**5)
    message(_check.units, LONG["str"], np.ones((2, 2)), [1] * 10**5)
    message(_check.state, LONG["str"], np.ones((1,) * 64), a)
    message(_check.state, LONG["str"], STRUCTURED, a)
    message(_check.state, LONG["str"], deep, a)


def test_messages_about_a_round_of_arrays_are_short():
    params = {f"layer {i}" * 100: np.ones(2, f4) for i in range(3000)}
    opt = lrcore.SGD(params)
    opt.step_one(0, np.ones(2, f4))
    said = message(opt.step_one, 0, np.ones(2, f4))
    assert "more not yet" in said
    assert "more; pass it None" in message(opt.step, params)
    few = lrcore.SGD([np.ones(2) for _ in range(4)])
    few.step_one(1, np.ones(2))
    assert "has yet to step params[0], params[2], params[3]; " in message(few.step, 0)


def test_messages_of_the_kernels_are_short():
    p, g = np.ones(2), np.ones(2)
    long = "k" * 10**6
    said = message(lambda: lrcore.kernels.sgd(p, g, t=1, **{long: 1}))
    assert "unexpected keyword 'kkk" in said
    message(getattr, lrcore.kernels, long)
    message(lambda: lrcore.kernels.sgd(p, np.ones((1,) * 64), t=1))
    message(lambda: lrcore.kernels.sgd(p, g, *[g] * 10**5, t=1))


# --- linear time, and any depth -------------------------------------------------------


def operations(f, *args):
    """How many steps of Python's machine a refused call takes."""
    count = 0

    def tracer(frame, event, arg):
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        with pytest.raises((TypeError, ValueError, RuntimeError)):
            f(*args)
    finally:
        sys.settrace(before)
    return count


def flat(n, dtype=f4):
    return [np.ones(2, dtype) for _ in range(n)]


def layers(n, dtype=f4):
    return {i: {"W": np.ones(2, dtype), "b": [np.ones(2, dtype)]} for i in range(n)}


def wide(n, dtype=f4):
    return {i: [] for i in range(n)} | {"W": np.ones(2, dtype)}


def chain(n, dtype=f4):
    """Each level has an array beside the next level."""
    tree = [np.ones(2, dtype)]
    for _ in range(n):
        tree = [np.ones(2, dtype), tree]
    return tree


def last_place(tree):
    """Return the container of the last array, and its key."""
    key = list(tree)[-1] if isinstance(tree, dict) else len(tree) - 1
    below = tree[key]
    return last_place(below) if isinstance(below, (dict, list)) else (tree, key)


def wrong_dtype(params, opt, grads):
    container, key = last_place(grads)
    container[key] = np.ones(2)
    return opt.step, grads


def missing(params, opt, grads):
    container, key = last_place(grads)
    del container[key]
    return opt.step, grads


def rebound(params, opt, grads):
    container, key = last_place(params)
    container[key] = np.ones(2, f4)
    return opt.step, grads


def a_states_memory(params, opt, grads):
    container, key = last_place(grads)
    container[key] = opt.state[-1]["m"]
    return opt.step, grads


def shared_params(params, opt, grads):
    return _check.params, _tree.flatten([params, params])


def read_only(params, opt, grads):
    container, key = last_place(grads)
    container[key].flags.writeable = False
    return lrcore.clip_by_value, grads, 1.0


def unfinished(params, opt, grads):
    opt.step_one(0, np.ones(2, f4))
    return opt.step, grads


REFUSALS = [wrong_dtype, missing, rebound, a_states_memory, shared_params, read_only,
            unfinished]  # fmt: skip


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("shape", [flat, layers, wide, chain])
def test_a_refused_call_takes_linear_time(shape, refusal):
    if (shape, refusal) == (wide, unfinished):
        pytest.skip("there is but one array")
    counts = []
    for n in (200, 800):
        params = shape(n)
        opt = lrcore.SGD(params, momentum=0.9)
        counts.append(operations(*refusal(params, opt, shape(n))))
    few, many = counts
    assert many < 6 * few  # 16 times as many where time is quadratic


def nested(depth, leaf, kind="list"):
    tree = leaf
    for _ in range(depth):
        tree = {"k": tree} if kind == "dict" else [tree]
    return tree


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
    tree = _tree.flatten([params, np.ones(1)], grouped=True)
    assert [leaf.group for leaf in tree.leaves] == [0, 0, 1]
    inner = "[0]" + names[0].removesuffix("[0]")
    paths = [node.path for node in tree.nodes]
    assert paths == ["", "[0]", inner, inner + "[1]"]
