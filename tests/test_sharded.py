"""Optimizers of several ranks: the same bits on any number; a part of the states."""

import numpy as np
import pytest
from helpers import KINDS
from ranks import (
    alone,
    arrays,
    batches,
    content,
    gradient,
    in_turn,
    make,
    ranks,
    train,
)

import lrcore
from lrcore.distributed import _ones, _rows
from lrcore.distributed._shards import STRIP

EVERY = {
    "clip_norm": 1.0, "skip_nonfinite": True, "telemetry": True, "ema_decay": 0.9
}  # fmt: skip


def differing(found, wanted, names):
    """Return which of several results are not those that are wanted."""
    return [n for n, f, w in zip(names, found, wanted, strict=True) if f != w]


def test_the_same_bits_on_any_number_of_ranks():
    """Of each optimizer: the ranks train all, one after the other."""

    def trained(n, total):
        return ranks(n, in_turn, train, [(name, {}, total) for name in KINDS])

    (one,) = trained(1, 1)
    assert differing(one, [alone(name, {}) for name in KINDS], KINDS) == []
    (wanted,) = trained(1, 5)
    for n in (2, 5):
        for found in trained(n, 5):
            assert differing(found, wanted, KINDS) == []


HYPER = [
    ("AdamW", EVERY),
    ("SGD", {"momentum": 0.9, "lookahead_steps": 2, "clip_tensor_norm": 0.1}),
    ("SGD", {"clip_value": 0.5, "swa_start": 1, "maximize": True, "telemetry": True}),
    ("LAMB", EVERY),
    ("Muon", EVERY),
    ("Adafactor", EVERY),
    ("SM3", {**EVERY, "momentum": 0.9}),
    ("AdamW", {"mechanic": True, "telemetry": True}),
    ("AdamW", {"agc": 0.01, "agc_axis": 0, "telemetry": True, "clip_norm": 3.0}),
    ("AdamW", {"agc": 0.01, "agc_axis": 1, "telemetry": True}),
    ("AdamW", {"grad_scale": 2.0**-30, "denormals": "keep", "telemetry": True}),
    ("AdamW", {"groups": {"W": {"lr": 0.1}, "*e": {"weight_decay": 0.5}}}),
    ("AdamW", {"lr": lrcore.schedules.Cosine(0.1, total=9).warmup(2)}),
]


def test_options():
    def trained(n, total):
        return ranks(n, in_turn, train, [(*each, total) for each in HYPER])

    (one,) = trained(1, 1)
    assert differing(one, [alone(*each) for each in HYPER], HYPER) == []
    (wanted,) = trained(1, 3)
    for n in (2, 3):
        for found in trained(n, 3):
            assert differing(found, wanted, HYPER) == []


def test_arrays_in_fortran_order():
    wanted = ranks(1, train, "AdamW", EVERY, 3, 2, "F")[0]
    assert ranks(3, train, "AdamW", EVERY, 3, 2, "F") == [wanted] * 3
    wanted = ranks(1, train, "SM3", EVERY, 3, 2, "F")[0]
    assert ranks(2, train, "SM3", EVERY, 3, 2, "F") == [wanted] * 2


@pytest.mark.parametrize(
    "shapes",
    [
        {"p": (1,)},
        {"p": ()},
        {"p": (0,)},
        {"p": (STRIP + 1,)},
        {f"p{i}": (i % 7,) for i in range(1000)},
    ],
    ids=["one element", "no axes", "empty", "two strips", "1,000 arrays"],
)
def test_few_and_many_elements(shapes):
    wanted = ranks(1, train, "AdamW", EVERY, 4, 2, "C", shapes)[0]
    assert ranks(4, train, "AdamW", EVERY, 4, 2, "C", shapes) == [wanted] * 4


def test_the_order_of_additions_is_that_of_a_tree():
    """Without ranks, gradients are gathered one after the other: alike up to 3."""
    for total in (1, 2, 3):
        assert ranks(1, train, "AdamW", {}, total)[0] == alone("AdamW", {}, total)
    assert ranks(1, train, "AdamW", {}, 4)[0] != alone("AdamW", {}, 4)


# --- the calls of an optimizer --------------------------------------------------------


def with_gaps(comm, total):
    """Some arrays without a gradient: in one micro-batch, in a step, in none."""
    params = arrays(0)
    opt, mine = make(comm, "AdamW", total, params, clip_norm=1.0)
    for step in range(4):
        for i in mine:
            grads = gradient(step, i)
            grads["b"] = None
            if step == 1:
                grads["W"] = None
            if step == 2 and i % 2:
                grads["wide"] = None
            opt.step(grads)
    return content(params), opt._plan.steps


def test_arrays_without_gradients():
    wanted = ranks(1, with_gaps, 4)[0]
    assert wanted[1] == [3, 0, 4, 4, 4, 4]
    assert ranks(2, with_gaps, 4) == [wanted] * 2


def scaled(comm, total):
    params = arrays(0)
    opt, mine = make(comm, "AdamW", total, params, clip_norm=1.0)
    scaler, taken = lrcore.LossScaler(2.0**4, growth_interval=2), []
    for step in range(4):
        for i in mine:
            grads = {k: g * scaler.scale for k, g in gradient(step, i).items()}
            if step == 1 and i == total - 1:
                grads["W"][3, 3] = np.inf
            applied = scaler.step(opt, grads)
        taken.append(applied)
    return content(params), taken, opt.t, scaler.scale


def test_loss_scale_and_gradients_that_are_not_finite():
    wanted = ranks(1, scaled, 4)[0]
    assert wanted[1:3] == ([True, False, True, True], 3)
    for n in (2, 4):
        assert ranks(n, scaled, 4) == [wanted] * n


def flushed(comm, fewer):
    params = arrays(0)
    opt, mine = make(comm, "AdamW", 8, params)
    nothing = opt.flush()
    for i in mine:
        if i < fewer:
            opt.step(gradient(0, i))
    return content(params), nothing, opt.flush(), opt.t


def test_flush():
    for fewer in (1, 3):  # the second rank has none
        found = ranks(2, flushed, fewer)
        assert found == [ranks(1, flushed, fewer)[0]] * 2
        assert found[0][1:] == (False, True, 1)


def some_without(comm, total):
    """The last ranks have no micro-batch."""
    params = arrays(0)
    mine = range(total) if comm.size == 1 else range(comm.rank, total)[:1]
    opt = lrcore.AdamW(params, comm=comm, accumulate=max(len(mine), 1), clip_norm=1.0)
    for step in range(2):
        for i in mine:
            applied = opt.step(gradient(step, i))
        if not mine:
            applied = opt.flush()
    return content(params), applied


def test_ranks_without_a_micro_batch():
    wanted = ranks(1, some_without, 3)[0]
    assert wanted[1]
    assert ranks(5, some_without, 3) == [wanted] * 5


def read(comm):
    params = arrays(0)
    opt, mine = make(comm, "SGD", 4, params, ema_decay=0.5, swa_start=1)
    for step in range(3):
        for i in mine:
            opt.step(gradient(step, i))
    before = content(params)
    with opt.averaged("ema"):
        within = content(params)
    assert content(params) == before
    assert within == content(opt.ema)
    free, mine = make(comm, "AdamWScheduleFree", 4, params)
    for i in mine:
        free.step(gradient(3, i))
    return within, content(opt.swa), content(free.x)


def test_averages_can_be_read():
    wanted = ranks(1, read)[0]
    assert len(set(map(str, wanted))) == 3
    assert ranks(3, read) == [wanted] * 3


def projected(comm, pulls):
    params = arrays(0)
    seen = []

    def clip(params):
        seen.append(content(params))
        for p in params.values():
            np.clip(p, -0.5, 0.5, out=p)

    more = {"lookahead_steps": 2} if pulls else {}
    opt, mine = make(comm, "SGD", 4, params, project=clip, ema_decay=0.5, **more)
    for step in range(2):
        for i in mine:
            opt.step(gradient(step, i))
    return content(params), content(opt.ema), seen


@pytest.mark.parametrize("pulls", [False, True])
def test_a_projection_sees_all_params(pulls):
    wanted = ranks(1, projected, pulls)[0]
    assert ranks(3, projected, pulls) == [wanted] * 3


def one_by_one(comm, name, hyper, alone):
    params = arrays(0)
    opt, _ = make(comm, name, comm.size, params, **hyper)
    taken = []
    for step in range(3):
        grads = gradient(step, comm.rank)
        if step == 1:
            grads["wide"] = None
        if not alone:
            opt.step(grads)
            continue
        for each in reversed(grads):
            taken.append(opt.step_one(each, grads[each]))
            if grads[each] is not None:
                grads[each][...] = np.nan  # the caller may use it again
    return content(params), taken


ONES = [("AdamW", EVERY), ("Prodigy", {}), ("Muon", EVERY), ("LAMB", {})]


@pytest.mark.parametrize("n", [1, 3])
def test_arrays_that_come_one_by_one(n):
    def in_buckets(comm, name, hyper):
        found, most = [], _ones.BUCKET
        for together in (0, 300, most):
            _ones.BUCKET = together
            found.append(one_by_one(comm, name, hyper, True))
        return one_by_one(comm, name, hyper, False)[0], found

    first, *others = ranks(n, in_turn, in_buckets, ONES)
    assert others == [first] * (n - 1)
    for each, (wanted, found) in zip(ONES, first, strict=True):
        assert found == [(wanted, ([False] * 5 + [True]) * 3)] * 3, each


def test_small_arrays_travel_together():
    """Each step, those of a dtype; large ones do not wait for others."""

    def exchanges(comm, bucket):
        count, exchange = [0], comm.exchange

        def counted(*args):
            count[0] += 1
            exchange(*args)

        comm.exchange, _ones.BUCKET = counted, bucket
        one_by_one(comm, "SGD", {}, True)
        return count[0]

    assert ranks(2, exchanges, 0) == [3 * 6] * 2
    assert ranks(2, exchanges, 1 << 20) == [3 * 2] * 2
    assert ranks(2, exchanges, 28_000) == [3 * 4] * 2  # W and wide by themselves


def mixed(comm):
    params = arrays(0)
    mine = batches(comm, 4)
    opt = lrcore.Mixed(
        {"W": lrcore.Muon, "wide": lrcore.Adafactor, "b": lrcore.Prodigy, "*": "SGD"},
        params, clip_norm=1.0, comm=comm, accumulate=len(mine), telemetry=True,
    )  # fmt: skip
    for step in range(2):
        for i in mine:
            opt.step(gradient(step, i))
    return content(params), repr(opt.reports("tensor"))


def test_several_optimizers_in_one():
    wanted = ranks(1, mixed)[0]
    assert ranks(2, mixed) == [wanted] * 2
    assert ranks(4, mixed) == [wanted] * 4


def converted(comm):
    params = arrays(0)
    opt, mine = make(comm, "SGD", 4, params, zero_grads=True, convert_grads=True)
    for i in mine:
        grads = {k: g.astype("f8") for k, g in gradient(0, i).items()}
        opt.step(grads)
        assert not any(g.any() for g in grads.values())
    return content(params)


def test_gradients_are_converted_and_zeroed():
    wanted = ranks(1, converted)[0]
    assert wanted != content(arrays(0))
    assert ranks(2, converted) == [wanted] * 2


def saved(comm, name):
    params = arrays(0)
    opt, mine = make(comm, name, 4, params)
    for i in mine:
        opt.step(gradient(0, i))
    return opt.state_dict(), params


@pytest.mark.parametrize("name", ["AdamW", "Adafactor", "Muon", "NovoGrad", "DoG"])
def test_a_state_dict_is_that_of_one_process(name):
    (wanted, params), *_ = ranks(1, saved, name)
    for found, _ in ranks(3, saved, name):
        assert found.keys() == wanted.keys()
        for mine, theirs in zip(found["state"], wanted["state"], strict=True):
            assert content(mine) == content(theirs)
            assert [a.shape for a in mine.values()] == [
                a.shape for a in theirs.values()
            ]
    again = getattr(lrcore, name)(params, accumulate=4)
    again.load_state_dict(found)
    assert (
        content(again.state_dict()["state"][0]).items()
        >= content(wanted["state"][0]).items()
    )


def reloaded(comm, state):
    params = arrays(0)
    opt, _ = make(comm, "AdamW", 4, params)
    opt.load_state_dict(state)
    return opt.state_dict(), batches(comm, 4)


def test_a_state_dict_is_loaded_on_any_number_of_ranks():
    (state, _), *_ = ranks(2, saved, "AdamW")
    for found, _ in ranks(3, reloaded, state):
        assert [*map(content, found["state"])] == [*map(content, state["state"])]


SEVERAL_STRIPS = {"W": (40, 70), "b": (70,), "wide": (3, 900), "none": (0, 3)}


def in_small_windows(comm, name, hyper):
    _rows.WINDOW = _rows.ROW = 300  # bytes: less than a strip has
    return train(comm, name, hyper, 4, 2, "C", SEVERAL_STRIPS)


def test_what_travels_in_many_windows():
    for name in ("AdamW", "SM3"):
        wanted = ranks(1, train, name, EVERY, 4, 2, "C", SEVERAL_STRIPS)[0]
        for n in (2, 3):
            assert ranks(n, in_small_windows, name, EVERY) == [wanted] * n
