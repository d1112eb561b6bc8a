"""Averages of the params beside any optimizer: what they are, how they are lent."""

import pickle
from collections import OrderedDict, defaultdict, namedtuple

import numpy as np
import pytest
from cases import cases
from helpers import (
    KINDS,
    all_same,
    bits_of,
    close,
    draw,
    each_kind,
    each_pulled,
    fresh,
    same_bits,
    same_states,
    taken,
)

import lrcore

pytestmark = pytest.mark.isa


@each_kind
@cases("start, every, lookahead", [(0, 1, 3), (3, 2, None), (5, 4, 3)])
def test_averages_are_those_of_the_params_after_each_step(
    name, start, every, lookahead
):
    """EMA with a schedule and SWA, recomputed from all params; with Lookahead's too."""
    params = fresh()
    first = [p.copy() for p in params]

    def decay(t):
        return 0.5 + 0.04 * t

    opt = KINDS[name](
        params,
        lr=0.05,
        ema_decay=decay,
        swa_start=start,
        swa_every=every,
        **taken(name, lookahead_steps=lookahead),
    )
    assert all_same(opt.ema, first)
    for t in range(1, 11):
        opt.step(draw(params, t))
        if t == 1:
            ema, record = [p.copy() for p in params], []
        d = decay(t - 1)
        ema = [d * e + (1 - d) * p for e, p in zip(ema, params, strict=True)]
        if t >= max(start, 1) and (t - max(start, 1)) % every == 0:
            record.append([p.copy() for p in params])
        swa = [np.mean(a, axis=0) for a in zip(*record, strict=True)]
        close(opt.ema, ema)
        close(opt.swa, swa or params)


@each_pulled
@cases("steps, alpha", [(1, 0.5), (3, 0.25), (4, 1.0)])
def test_lookahead_pulls_the_params_to_the_slow_ones(name, steps, alpha):
    """As by hand, in an optimizer without it."""
    params, twins = fresh(), fresh()
    slow = [p.copy() for p in params]
    opt = KINDS[name](params, lr=0.05, lookahead_steps=steps, lookahead_alpha=alpha)
    by_hand = KINDS[name](twins, lr=0.05)
    for t in range(1, 10):
        opt.step(draw(params, t))
        by_hand.step(draw(twins, t))
        if t % steps == 0:
            for s, p in zip(slow, twins, strict=True):
                s += alpha * (p - s)
                p[...] = s
        close(params, twins)
        close(opt.slow, slow)


@each_kind
def test_averages_are_lent_and_given_back(name):
    """To the bit, after an exception too; what would step or save is refused."""
    params = fresh()
    pulled = taken(name, lookahead_steps=2)
    opt = KINDS[name](params, lr=0.05, ema_decay=0.5, swa_start=2, **pulled)
    for t in range(5):
        opt.step(draw(params, t))
    saved, before = opt.state_dict(), bits_of(opt, params)
    for average in ("ema", "swa", *(["slow"] if pulled else [])):
        wanted = [a.copy() for a in getattr(opt, average)]
        assert not all_same(params, wanted)
        with opt.averaged(average):
            assert all_same(params, wanted)
            for refused in (
                lambda: opt.step(draw(params, 5)),
                opt.state_dict,
                lambda: opt.load_state_dict(saved),
                opt.averaged("ema").__enter__,
            ):
                with pytest.raises(RuntimeError, match="are lent to"):
                    refused()
            assert all_same(params, wanted)
        assert bits_of(opt, params) == before
        with pytest.raises(ZeroDivisionError), opt.averaged(average):
            _ = 1 / 0
        assert bits_of(opt, params) == before
    with pytest.raises(ValueError, match=r"name: expected one of .*'ema'"):
        opt.averaged().__enter__()
    with pytest.raises(AttributeError, match="no mean is kept"):
        opt.averaged("mean").__enter__()
    assert opt.step(draw(params, 5))


def test_the_only_average_needs_no_name():
    for kwargs, average in (
        ({"ema_decay": 0.5}, "ema"),
        ({"swa_start": 2}, "swa"),
        ({"lookahead_steps": 3}, "slow"),
    ):
        params = fresh()
        opt = lrcore.Adam(params, lr=0.1, **kwargs)
        for t in range(5):
            opt.step(draw(params, t))
        wanted = [a.copy() for a in getattr(opt, average)]
        with opt.averaged():
            assert all_same(params, wanted)
    params = fresh()
    with pytest.raises(AttributeError, match=r"no ema is kept; .*ema_decay"):
        lrcore.Adam(params).averaged().__enter__()


@each_kind
def test_a_run_with_averages_continues_from_its_state_to_the_bit(name):
    """Through a pickle, from between two steps of Lookahead."""
    averages = {"ema_decay": 0.9, "swa_start": 3, "swa_every": 2}
    averages |= taken(name, lookahead_steps=3)
    straight, broken = fresh(), fresh()
    one = KINDS[name](straight, lr=0.05, **averages)
    two = KINDS[name](broken, lr=0.05, **averages)
    for t in range(4):
        one.step(draw(straight, t))
        two.step(draw(broken, t))
    restored, saved = pickle.loads(pickle.dumps((broken, two.state_dict())))
    for t in range(4, 6):
        two.step(draw(broken, t))  # what was saved is a copy
    others = taken(name, ema_decay=0.5, swa_start=9, lookahead_steps=2)
    three = KINDS[name](restored, **others)
    three.load_state_dict(saved)
    for t in range(4, 10):
        one.step(draw(straight, t))
        three.step(draw(restored, t))
    assert all_same(straight, restored)
    assert same_states(one.state, three.state)
    assert all_same(one.ema, three.ema)
    assert all_same(one.swa, three.swa)
    if "lookahead_steps" in averages:
        assert all_same(one.slow, three.slow)


def test_averages_have_the_structure_of_the_params():
    def nest(a, b, c, d, e):
        return {"x": a, "y": [b, (c, {"z": d})], 7: (e,), "none": []}

    params = [np.full(3, float(k)) for k in range(5)]
    opt = lrcore.SGD(nest(*params), lr=1.0, ema_decay=0.5)
    for _ in range(2):
        opt.step(nest(*np.ones((5, 3))))
    ema = opt.ema
    assert list(ema) == ["x", "y", 7, "none"]
    assert [type(ema[key]) for key in ("y", 7, "none")] == [list, tuple, list]
    assert [type(e) for e in ema["y"][1]] == [np.ndarray, dict]
    found = [ema["x"], ema["y"][0], ema["y"][1][0], ema["y"][1][1]["z"], ema[7][0]]
    for k, (e, state) in enumerate(zip(found, opt.state, strict=True)):
        assert e is state["ema"]
        assert e.tolist() == [k - 1.5] * 3


def test_averages_of_a_single_array_and_of_groups():
    opt = lrcore.SGD(np.ones(3), ema_decay=0.5)
    assert opt.ema is opt.state[0]["ema"]
    p, q = np.ones(3), {"w": np.ones(2)}
    opt = lrcore.SGD(
        [{"params": p, "ema_decay": 0.5}, {"params": q}], lr=1.0, lookahead_steps=2
    )
    for _ in range(3):
        opt.step([np.ones(3), {"w": np.ones(2)}])
    ema, slow = opt.ema, opt.slow
    assert isinstance(ema, list)
    assert ema[0] is opt.state[0]["ema"]
    assert ema[1]["w"] is q["w"], "the params where a group keeps none"
    assert slow[1]["w"] is opt.state[1]["slow"]
    before = bits_of(opt, [p, q["w"]])
    lent = [ema[0].copy(), q["w"].copy()]
    assert not same_bits(p, lent[0])
    with opt.averaged("ema"):
        assert all_same([p, q["w"]], lent)
    assert bits_of(opt, [p, q["w"]]) == before


def test_an_average_has_the_containers_of_the_params():
    """Named tuples, and subclasses of dict with what else they have."""
    Layer = namedtuple("Layer", "w b")  # as users write it
    first = defaultdict(list, w=np.zeros(2), none=None)
    params = OrderedDict(last=[Layer(np.zeros(2), np.zeros(1))], first=first)
    grads = {
        "last": [(np.ones(2), np.ones(1))],
        "first": {"w": np.ones(2), "none": None},
    }
    opt = lrcore.SGD(params, lr=1.0, ema_decay=0.5)
    assert opt.step(grads)
    ema = opt.ema
    assert type(ema) is OrderedDict
    assert [*ema] == ["last", "first"]
    assert type(ema["last"][0]) is Layer
    assert ema["last"][0].w.tolist() == [-1.0, -1.0]
    assert ema["first"].default_factory is list
    assert {**ema["first"], "w": 0} == {"w": 0, "none": None}
    assert params["first"] is first
    assert first["w"] is not ema["first"]["w"]
