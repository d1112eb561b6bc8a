"""Messages about params and gradients are short, wherever in a container they are."""

import numpy as np
import pytest
from wrong import LONG, STRUCTURED, Unprintable, array, deep, f4, message

import lrcore
from lrcore._shared import arrays

KEYS = {
    "long": "k" * 475_000,
    "of emoji": "\N{GRINNING FACE}" * 10_000,
    "quoted": "'\"\n\\" * 10_000,
    "a tuple": tuple(range(10**5)),
    "nested": ("n", (("x" * 10**3,),) * 10**2),
    "a large int": 10**5000,
    "unprintable": Unprintable(),
}
BAD = {
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
    message(lrcore.global_norm, {key: {key: [a, 1]}})
    message(arrays.units, LONG["str"], np.ones((2, 2)), [7] * 10**5)
    message(arrays.units, LONG["str"], np.ones((2, 2)), [1] * 10**5)
    message(arrays.state, LONG["str"], np.ones((1,) * 64), a)
    message(arrays.state, LONG["str"], STRUCTURED, a)
    message(arrays.state, LONG["str"], deep, a)


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


def test_where_an_array_is_not():
    opt = lrcore.SGD({"W": array(), ("a", 1): [array(), array()]})
    listed = "params['W'], params[('a', 1)][0], params[('a', 1)][1]"
    for which in ([0], {}, None, 1.5, (), ("W", 0), ((("a", 1)),), ("a", 1), 3, "w"):
        with pytest.raises(ValueError, match=r"^which: ") as raised:
            opt.step_one(which, array())
        assert str(raised.value) == (
            f"which: expected an int below 3 or the keys of one of {listed}, "
            f"found {which!r}"
        )
    assert opt.step_one((("a", 1), 1), array())
    assert opt.step_one(1, array())
    assert opt.step_one("W", array())
    many = lrcore.SGD({f"layer {i}" * 20: array() for i in range(3000)})
    assert "more, found 'none'" in message(many.step_one, "none", array())
    with pytest.raises(ValueError, match=r"one of params, found 'W'$"):
        lrcore.SGD(array()).step_one("W", array())
