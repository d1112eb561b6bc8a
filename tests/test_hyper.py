"""What arguments take and do, by the constructors' own signatures.

Domains, schedules, and groups with arguments of their own: of all arguments of all
classes.
"""

import re
import typing
from math import inf, nan

import numpy as np
import pytest
from cases import cases
from helpers import (
    KINDS,
    OTHERS,
    REFUSED,
    ROWS,
    all_same,
    arguments,
    bits_of,
    draw,
    each_kind,
    find,
    fresh,
    hyper,
    make,
    other,
    same_bits,
    same_states,
    schedulable,
)

from lrcore.schedules import Linear


def elements(hint):
    """The types of the numbers that there are to it, or its own where it is one."""
    for a in (hint, *typing.get_args(hint)):
        if typing.get_origin(a) is tuple:
            return typing.get_args(a)
    return (hint,)


ARGUMENTS = [(name, argument) for name in KINDS for argument in arguments(name)]
# What all classes take, by code that they share, is tried with a few of them; but for
# what their own equations have in them.
COMMON = set.intersection(
    *({*arguments(name), *REFUSED.get(name, ())} for name in KINDS)
) - {"lr", "weight_decay", "l2"}
FEW = ("SGD", "Adam", "Muon")


def own_arguments(name):
    return [a for a in arguments(name) if a not in COMMON or name in FEW]


def scheduled_arguments(name):
    return [a for a in own_arguments(name) if schedulable(arguments(name)[a])]


ANY, NONNEGATIVE = "a finite number", "a finite number >= 0"
POSITIVE, ABOVE_ONE = "a finite number > 0", "a finite number > 1"
NONPOSITIVE = "a finite number <= 0"
FRACTION, SHARE = "a number in [0, 1)", "a number in (0, 1]"
COUNT, NUMBER = "an int >= 0", "an int >= 1"
AT_LEAST_0 = "a number >= 0"
INSIDE = "a number in (0, 1)"
FROM_ONE, ABOVE_0 = "a number >= 1", "a number > 0"

# What is just within a domain, and what is just outside.
EDGES = {
    ANY: ([-1e300, 1e300], [nan, inf, -inf]),
    NONNEGATIVE: ([0.0, 1e300], [nan, inf, -5e-324]),
    POSITIVE: ([5e-324, 1e300], [nan, inf, 0.0, -1.0]),
    NONPOSITIVE: ([-1e300, 0.0], [nan, -inf, 5e-324]),
    ABOVE_ONE: ([1 + 2.0**-52, 1e300], [nan, inf, 1.0]),
    FRACTION: ([0.0, 1 - 2.0**-53], [nan, inf, 1.0, -5e-324]),
    SHARE: ([5e-324, 1.0], [nan, inf, 0.0, 1 + 2.0**-52]),
    FROM_ONE: ([1.0, inf], [nan, 1 - 2.0**-53, -inf]),
    ABOVE_0: ([5e-324, inf], [nan, 0.0, -inf]),
    INSIDE: ([5e-324, 1 - 2.0**-53], [nan, inf, 0.0, 1.0]),
    AT_LEAST_0: ([0.0, inf], [nan, -5e-324, -inf]),
    COUNT: ([0, 10**9], [-1, 1.5]),
    NUMBER: ([1, 10**9], [0, 1.5]),
}
STRANGE = ["0.1", True, [0.5], 1j]  # no numbers

# By name, or by class and name where that differs; what is not here is NONNEGATIVE.
DOMAINS = {
    "dampening": ANY,
    "beta2_decay": NONPOSITIVE,
    "threshold": ANY,
    "ns_coefficients": ANY,
    "d": POSITIVE,
    "max_trust": POSITIVE,
    "reps_rel": POSITIVE,
    "d0": POSITIVE,
    "d_coef": POSITIVE,
    "growth_rate": FROM_ONE,
    "f_min": ANY,
    "c": POSITIVE,
    "max_lr": ABOVE_0,
    "beta3": FRACTION,
    "Prodigy.eps": POSITIVE,
    "DAdaptAdam.eps": POSITIVE,
    "DoWG.eps": POSITIVE,
    "etas[0]": FRACTION,
    "etas[1]": ABOVE_ONE,
    "betas": FRACTION,
    "AdamWScheduleFree.betas[0]": INSIDE,
    "adam_betas": FRACTION,
    "rho": FRACTION,
    "RMSprop.alpha": FRACTION,
    "SM3.momentum": FRACTION,
    "Signum.momentum": FRACTION,
    "MADGRAD.momentum": FRACTION,
    "Muon.momentum": FRACTION,
    "SGDScheduleFree.momentum": INSIDE,
    "DAdaptSGD.momentum": FRACTION,
    "momentum_decay": AT_LEAST_0,
    "ema_decay": FRACTION,
    "lookahead_alpha": SHARE,
    "swa_start": COUNT,
    "ns_steps": COUNT,
    "swa_every": NUMBER,
    "lookahead_steps": NUMBER,
    "mechanic_s_init": POSITIVE,
    "clip_value": POSITIVE,
    "clip_tensor_norm": POSITIVE,
    "agc": POSITIVE,
    "agc_eps": POSITIVE,
}

# What an argument has no effect without.
NEEDS = {
    "dampening": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9},
    "lr_in_momentum": {"momentum": 0.9},
    "dampen_first_step": {"momentum": 0.9, "dampening": 0.5},
    "amsgrad_hat": {"amsgrad": True},
    "relative_step": {"lr": 2.0},
    "eps_hat": {"eps": 0.1},
    "eps_inside": {"eps": 0.1},
    "eps_outside": {"eps": 0.1},
    "Adafactor.eps_added": {"eps": (0.1, 1e-3)},
    "Muon.eps_added": {"eps": 1.0},
    "adam_eps_hat": {"adam_eps": 0.1},
    "double_l2": {"l2": 0.1},
    "ASGD.alpha": {"lambd": 0.1},
    "Prodigy.growth_rate": {"d_coef": 1e3, "lr": 1.0},  # or d grows once at most
    "DAdaptAdam.growth_rate": {"lr": 100.0},
    "DAdaptSGD.growth_rate": {"lr": 100.0},
    "independent_weight_decay": {"decoupled_weight_decay": True},
    "swa_every": {"swa_start": 1},
    "lookahead_alpha": {"lookahead_steps": 2},
    "mechanic_s_init": {"mechanic": True},
    "mechanic_decay": {"mechanic": True, "mechanic_s_init": 0.1},
    "agc": {"agc_axis": 0},
    "agc_eps": {"agc": 0.1, "agc_axis": 0},
    "SignSGD.clip_value": {"l2": 5.0},  # or the size of g would not matter
    "SignSGD.clip_tensor_norm": {"l2": 5.0},
    "SignSGD.agc": {"l2": 5.0, "agc_axis": 0},
    "SignSGD.agc_eps": {"l2": 5.0, "agc": 0.1, "agc_axis": 0},
}


def test_the_tables_of_arguments_name_arguments():
    known = {argument for _, argument in ARGUMENTS}
    known |= {f"{name}.{argument}" for name, argument in ARGUMENTS}
    known |= {"etas[0]", "etas[1]", "AdamWScheduleFree.betas[0]"}
    assert {*DOMAINS, *OTHERS, *NEEDS} <= known
    for name, argument in ARGUMENTS:
        assert other(name, argument) not in (None, hyper(name)[argument])


def numbers(name, argument):
    """Each number of an argument: how errors call it, its domain, and how to set it."""
    kinds = elements(arguments(name)[argument])
    rest = other(name, argument)
    domain = find(DOMAINS, name, argument, NONNEGATIVE)
    if kinds == (arguments(name)[argument],):
        yield argument, domain, lambda value: value
    for i in range(len(kinds) if isinstance(rest, tuple) else 0):
        where = f"{argument}[{i}]"
        yield (
            where,
            find(DOMAINS, name, where, domain),
            lambda value, i=i: (*rest[:i], value, *rest[i + 1 :]),
        )


def with_axis(argument, value):
    """The argument, and what it cannot be given without."""
    return {argument: value, **({"agc_axis": 0} if argument == "agc" else {})}


def error_of(where, text, value):
    """What to match: the argument, its domain and the value found."""
    found = re.escape(repr(value))
    return rf"^{re.escape(where)}: expected {re.escape(text)}.*, found {found}$"


def refuses(name, argument, given, error):
    """Whether for all or for one group."""
    p = np.ones((2, 2))
    with pytest.raises((TypeError, ValueError), match=error):
        KINDS[name](p, **with_axis(argument, given))
    with pytest.raises((TypeError, ValueError), match=error):
        KINDS[name]([{"params": p, **with_axis(argument, given)}])


@each_kind
@cases("argument", own_arguments)
def test_a_value_outside_of_the_domain_is_refused_by_name(name, argument):
    """With the domain, and the value that was found; what is just within is taken."""
    hint = arguments(name)[argument]
    if hint is bool:
        for value in ("yes", 2, None, nan):
            refuses(name, argument, value, error_of(argument, "True or False", value))
        return
    if typing.get_origin(hint) is typing.Literal:
        text = "one of " + ", ".join(map(repr, typing.get_args(hint)))
        for value in ("another", None, 1):
            refuses(name, argument, value, error_of(argument, text, value))
        return
    kinds = elements(hint)
    for (where, text, put), kind in zip(numbers(name, argument), kinds, strict=True):
        accepted, refused = EDGES[text]
        optional = type(None) in typing.get_args(kind)
        for value in [*accepted, *([None] if optional else [])]:
            given = with_axis(argument, put(value))
            assert hyper(name, **given)[argument] == put(value)
        for value in [*refused, *STRANGE, *([] if optional else [None])]:
            refuses(name, argument, put(value), error_of(where, text, value))
    if len(kinds) > 1:
        for value in (0.5, (0.5,), (0.5,) * (len(kinds) + 1), None):
            text = f"{len(kinds)} numbers"
            refuses(name, argument, value, error_of(argument, text, value))


@each_kind
@cases("argument", scheduled_arguments)
def test_a_schedule_out_of_the_domain_leaves_all_as_it_was(name, argument):
    """One of the last group; afterwards the run goes on as if it had not been tried."""
    good = other(name, argument)
    now = [good]

    def optimizer_of(params, value):
        return KINDS[name](
            [
                {"params": params[:1]},
                {"params": params[1:], **with_axis(argument, value)},
            ],
            lr=0.1,
        )

    def split(grads):
        return [grads[:1], grads[1:]]

    params, twins = fresh(), fresh()
    opt, twin = optimizer_of(params, lambda t: now[0]), optimizer_of(twins, good)
    opt.step(split(draw(params, 0)))
    before = bits_of(opt, params)

    bad = []
    for where, text, put in numbers(name, argument):
        refused = [*EDGES[text][1], *STRANGE]
        bad += [(put(value), error_of(where, text, value)) for value in refused]
    found = rf"^{argument}: expected .*, found "
    bad += [(None, found + "None$"), (max, found + "<built-in")]
    if isinstance(good, tuple):
        bad += [(good[:1], found), (0.5, found), ((max, *good[1:]), found)]
    for value, error in bad:
        now[0] = value
        error = rf"{error.removesuffix('$')}.* from its schedule <function .*<lambda>"
        with pytest.raises((TypeError, ValueError), match=error):
            opt.step(split(draw(params, 1)))
        assert bits_of(opt, params) == before

    now[0] = good
    opt.step(split(draw(params, 1)))
    for t in range(2):
        twin.step(split(draw(twins, t)))
    assert all_same(params, twins)
    assert same_states(opt.state, twin.state)


# No schedules: counts, names, and what is used at construction.
FIXED = {"t0", "initial_accumulator_value", "d0", "ns_steps", "adjust_lr_fn"}
FIXED |= {"swa_start", "swa_every", "lookahead_steps", "mechanic_s_init"}


@each_kind
@cases("argument", own_arguments)
def test_all_numbers_take_a_schedule_but_the_fixed(name, argument):
    """A schedule of one value is that value."""
    value = other(name, argument)
    params, twins = fresh(), fresh()
    if argument in FIXED or arguments(name)[argument] is bool:
        assert not schedulable(arguments(name)[argument])
        error = rf"^{argument}: expected .*, found <func"
        with pytest.raises((TypeError, ValueError), match=error):
            KINDS[name](params, **{argument: lambda t: value})
        return
    one = KINDS[name](params, **with_axis(argument, lambda t: value))
    two = KINDS[name](twins, **with_axis(argument, value))
    for t in range(3):
        one.step(draw(params, t))
        two.step(draw(twins, t))
    assert all_same(params, twins)
    assert same_states(one.state, two.state)


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        *((name, {}) for name in ("SGD", "SGDW", "LARS", "RMSprop", "SM3")),
        *((name, {"lr_in_momentum": True}) for name in ("SGD", "LARS", "RMSprop")),
    ],
)
def test_a_momentum_may_be_0_for_a_while(name, kwargs):
    """As with one so small that nothing is left of it; so that it may rise from 0."""
    params, twins = fresh(), fresh()
    kwargs = {**kwargs, "lr": Linear(0.05, 0.01, total=6)}
    one = KINDS[name](params, momentum=lambda t: 0.9 if t % 3 else 0.0, **kwargs)
    two = KINDS[name](twins, momentum=lambda t: 0.9 if t % 3 else 1e-99, **kwargs)
    for t in range(6):
        one.step(draw(params, t))
        two.step(draw(twins, t))
    assert all_same(params, twins)
    assert same_states(one.state, two.state)


def test_no_layout_depends_on_the_rate():
    """So that a new rate needs no look at the states."""
    for row in ROWS:
        for group in make(row, fresh()).param_groups:
            without_lr = group.hyper
            del without_lr["lr"]
            for part in group.parts:
                assert part.layout_of(without_lr) == part.layout


@pytest.mark.parametrize("name", [k for k in KINDS if not KINDS[k]._sums_all])
@cases("argument", arguments)
def test_groups_with_arguments_of_their_own_are_optimizers_of_their_own(name, argument):
    """To the bit, params and states; and the argument makes a difference."""
    common = {"lr": Linear(0.05, 0.01, total=8), "weight_decay": 0.2}
    common |= find(NEEDS, name, argument, {})
    own = {argument: other(name, argument)}
    another = {"lr": 0.03, "weight_decay": 0.5}
    grouped, apart = [fresh(), fresh(), fresh()], [fresh(), fresh(), fresh()]
    opt = KINDS[name](
        [
            {"params": grouped[0], **own},
            {"params": grouped[1]},
            {"params": grouped[2], **another},
        ],
        **common,
    )
    kwargs = [{**common, **own}, common, {**common, **another}]
    alone = [KINDS[name](p, **k) for p, k in zip(apart, kwargs, strict=True)]
    for t in range(8):
        grads = [draw(params, t) for params in grouped]
        opt.step(grads)
        for one, g in zip(alone, grads, strict=True):
            one.step(g)
    assert all(all_same(a, b) for a, b in zip(grouped, apart, strict=True))
    assert same_states(opt.state, [state for one in alone for state in one.state])
    alike = all_same(*grouped[:2]) and same_states(opt.state[:3], opt.state[3:6])
    assert not alike
    assert not any(same_bits(a, b) for a, b in zip(*grouped[1:], strict=True))
