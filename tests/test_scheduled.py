"""What a group's scheduled hyper-parameters make of its numbers, step by step."""

import math

import numpy as np
import pytest
from helpers import arguments, each_path, hyper, make, other, schedulable, taken
from table import Row

import lrcore
from lrcore import _core

STEPS = range(3)  # what is scheduled changes, and changes back

ADAM, MUON = Row("AdamW", {}), Row("Muon", {})

# Options beside a row's: what is averaged, and where decay and scales depend on lr.
SETTINGS = [
    {},
    {"decoupled_weight_decay": True, "ema_decay": 0.9, "lookahead_steps": 2},
    {"independent_weight_decay": True, "swa_start": 2, "maximize": True},
]
OWN_SETTINGS = {"Adafactor": {"rms_after_decay": True}}


NUMBERS = ("lr", "decay", "gscale", "l2", "clip_value", "clip_norm", "agc", "agc_eps")


def plain(x):
    """Nested tuples of numbers, which compare by value."""
    if isinstance(x, np.ndarray):
        return x.tolist()
    return tuple(map(plain, x)) if isinstance(x, (tuple, list)) else x


def evaluated(own_part, folded, t):
    """All numbers of step t, from 1, for a matrix of ones."""
    carries, gauge = own_part.carries, _core.GAUGES[own_part.gauge]
    sums = tuple(0.5 + i for i in range(gauge.n_sum))
    sums += (1.0,) if "gathered_loss" in carries else ()
    carried = tuple(0.1 * (i + 1) for i in range(len(carries)))
    call = (t, folded.lr, folded.decay)
    if carries and folded.tune is None:
        call += (carried, sums)
    found = {name: getattr(folded, name) for name in NUMBERS}
    found["coefs"] = folded.coefs(*call)
    for name in ("weights", "scale"):
        if getattr(folded, name):
            found[name] = getattr(folded, name)(t)
    if folded.gauge:
        found["gauge"] = folded.gauge(t, folded.lr, carried)
    if folded.tune:
        found["tune"] = folded.tune(np.full((4, 6), 0.1), sums)
    p, x = np.ones((2, 2)), np.array([[1.0, -2.0], [3.0, 0.5]])
    state = {name: 0.1 * np.ones(2) for name in ("row", "col", "acc_0", "acc_1")}
    if folded.factor:
        before, after = folded.factor
        read, square = before(t, p, state), x * x
        stats = square.sum(axis=1), square.sum(axis=0)
        found["factor"] = read, after(t, p, state, read, *stats)
    if folded.direct:
        folded.direct([x], {})
        found["direct"] = x
    return {name: plain(value) for name, value in found.items()}


def hyper_at(group, t):
    """All hyper-parameters of a group for the step that follows t others."""
    return {name: group.at(name, t) for name in group if name != "params"}


def changing(name, argument):
    """A schedule of two values that the class takes."""
    one, two = hyper(name)[argument], other(name, argument)
    if one is None:
        one = two / 2
    return lambda t: one if t % 2 else two


def schedulables(row):
    """Names of the arguments that can be scheduled with those of the row."""
    left_out = {"dampening"} if row.kwargs.get("nesterov") else set()
    hints = arguments(row.name)
    return [n for n in hints if n not in left_out and schedulable(hints[n])]


def groups(row):
    """Groups of the row's optimizer: each argument scheduled, and all."""
    name = row.name
    schedules = {argument: changing(name, argument) for argument in schedulables(row)}
    singly = [{argument: schedule} for argument, schedule in schedules.items()]
    pairs = [{**given, "lr": schedules["lr"]} for given in singly]
    for setting in SETTINGS:
        own = OWN_SETTINGS.get(name, {}) if setting else {}
        for given in [*singly, *pairs, schedules]:
            more = taken(name, **{**setting, **own, "agc_axis": 0, **given})
            yield make(row, np.ones((2, 2)), **more).param_groups[0]
        yield make(row, np.ones(2), **more).param_groups[0]  # by another rule of Muon's


@each_path
def test_now_is_a_full_fold(row):
    """Of each hyper-parameter, alone, with lr, with all: each number of each part."""
    for group in groups(row):
        for t in STEPS:
            found = group.now(t)
            h = hyper_at(group, t)
            for own_part, folded in zip(group.parts, found, strict=True):
                wanted = evaluated(own_part, own_part.fold(h), t + 1)
                assert evaluated(own_part, folded, t + 1) == wanted


@each_path
def test_now_refuses_what_hyper_at_does(row):
    """With the same words; and goes on after that."""
    for argument in schedulables(row):
        good = other(row.name, argument)
        answer = [good]
        given = {"agc_axis": 0, argument: lambda t, answer=answer: answer[0]}
        group = make(row, np.ones((2, 2)), **given).param_groups[0]
        group.now(0)
        bad = [math.nan, "0.1", None, max, True, (0.5,), (math.nan,) * 2, (max, 0.5)]
        for answer[0] in bad:
            with pytest.raises((TypeError, ValueError)) as wanted:
                hyper_at(group, 1)
            with pytest.raises(wanted.type) as found:
                group.now(1)
            assert str(found.value) == str(wanted.value)
        answer[0] = good
        for own_part, folded in zip(group.parts, group.now(1), strict=True):
            wanted = evaluated(own_part, own_part.fold(hyper_at(group, 1)), 2)
            assert evaluated(own_part, folded, 2) == wanted


def no_rate(t):
    pass


@pytest.mark.parametrize("betas", [(0.9, 0.99), (no_rate, 0.99)])
def test_a_schedule_that_returns_nothing_is_named(betas):
    p = np.zeros(2)
    opt = lrcore.Adam(p, lr=no_rate if betas[0] == 0.9 else 0.1, betas=betas)
    with pytest.raises(TypeError, match=r"(lr|betas).* found None.*<function no_rate"):
        opt.step(np.ones(2))
    assert (opt.t, p.tolist()) == (0, [0, 0])


def test_elements_of_a_tuple_are_scheduled_one_by_one():
    for betas in ((0.5, lambda t: 0.9 - 0.1 * t), (lambda t: 0.1 * t, lambda t: 0.5)):
        group = make(ADAM, np.ones(2), betas=betas).param_groups[0]
        for t in STEPS:
            (folded,), (own_part,) = group.now(t), group.parts
            wanted = evaluated(own_part, own_part.fold(hyper_at(group, t)), t + 1)
            assert evaluated(own_part, folded, t + 1) == wanted


def test_what_is_not_scheduled_is_made_once():
    group = make(ADAM, np.ones(2), lr=lambda t: 0.1 / (t + 1)).param_groups[0]
    (first,) = group.now(0)
    coefs = first.coefs
    (second,) = group.now(1)
    assert second is first
    assert second.coefs is coefs
    assert (second.lr, second.decay) == (0.05, 1 - 0.05 * 0.01)


def test_each_schedule_is_asked_once_a_step():
    asked = []
    group = make(MUON, np.ones((2, 2)), lr=lambda t: asked.append(t) or 0.1)
    group = group.param_groups[0]
    for t in (3, 4, 4):
        group.now(t)
    assert asked == [3, 4, 4]


def test_now_is_there_where_something_is_scheduled():
    group = make(ADAM, np.ones(2)).param_groups[0]
    assert group.now is None
    group["lr"] = lambda t: 0.1
    assert group.now(0)[0].lr == 0.1
    group["lr"] = 0.2
    assert group.now is None
