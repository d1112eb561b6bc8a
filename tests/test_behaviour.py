"""What is promised of every optimizer: it converges, and its arguments do as they say.

TABLE has what each class takes to solve three problems; the rest goes through all
classes, and all of their arguments, by the constructors' own signatures.
"""

import pickle
import re
import typing
from collections.abc import Callable
from functools import cache
from inspect import signature
from math import inf, nan
from typing import NamedTuple

import numpy as np
import pytest
from helpers import each_dtype, ordinary, same_bits, snapshot, wild
from scipy.optimize import rosen, rosen_der

import lrcore
from lrcore import _core, reference
from lrcore.data import digits
from lrcore.schedules import Constant, Cosine, Exponential, Linear, Schedule

AVAILABLE = lrcore.optimizers.available()
KINDS = {name: found.kind for name, found in AVAILABLE.items()}
each_kind = pytest.mark.parametrize("name", KINDS)


def fresh(dtype="float64"):
    """Params: a matrix, a vector, a number."""
    rng = np.random.default_rng(0)
    return [ordinary(rng, shape, dtype) for shape in ((4, 3), (5,), ())]


def draw(params, t):
    """Gradients of step t, each as large as the params; later ones are smaller."""
    rng = np.random.default_rng(1000 + t)
    size = 1.0 if t < 4 else 0.1
    return [np.asarray(size * ordinary(rng, p.shape, p.dtype)) for p in params]


def bits_of(opt, params):
    """Bits of all params and states, and the step count."""
    states = [array for state in opt.state for array in state.values()]
    return snapshot([*params, *states]), opt.t


def all_same(ours, theirs):
    return all(same_bits(a, b) for a, b in zip(ours, theirs, strict=True))


def same_states(ours, theirs):
    """Whether they are the same but for u, which is scratch."""
    return all(
        a.keys() == b.keys() and all(same_bits(a[k], b[k]) for k in a.keys() - {"u"})
        for a, b in zip(ours, theirs, strict=True)
    )


def close(ours, theirs, rel=1e-12):
    """Equal to so much of the largest."""
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=rel * np.abs(b).max())


# --- convergence ----------------------------------------------------------------------


class Trial(NamedTuple):
    """The highest learning rate on each problem, or its schedule; what else to pass."""

    quadratic: float | Schedule
    rosenbrock: float | Schedule
    digits: float | Schedule
    more: dict = {}  # noqa: RUF012 # never written to


STEPS = {"quadratic": 300, "rosenbrock": 5000, "digits": 100}


def lr_on(problem, lr):
    """Half a cosine over all steps; for the digits, after a warm-up."""
    if isinstance(lr, Schedule):
        return lr
    if problem == "digits":
        return Cosine(lr, total=STEPS["digits"]).warmup(STEPS["digits"] // 10)
    return Cosine(lr, total=STEPS[problem])


# Until its second moment can be trusted, RAdam steps by the gradient: 232 at first.
RISING = Cosine(0.5, total=STEPS["rosenbrock"]).warmup(STEPS["rosenbrock"] // 10)

TABLE = {
    "AdaBelief": Trial(0.6, 0.25, 0.6),
    "Adadelta": Trial(15.0, 0.6, 45.0),
    "Adafactor": Trial(0.5, 0.03, 2.0),
    # Its sum of squares makes steps small enough.
    "Adagrad": Trial(2.5, Constant(0.8), 2.5),
    "Adam": Trial(0.6, 0.25, 0.8),
    "Adamax": Trial(0.6, 0.8, 0.65),
    "AdamW": Trial(0.6, 0.25, 0.8),
    "Adan": Trial(3.0, 0.02, 0.2),
    "AdEMAMix": Trial(0.6, 0.2, 0.65, {"betas": (0.9, 0.999, 0.99), "alpha": 1.0}),
    "ADOPT": Trial(0.6, 1.5, 0.8),
    "ASGD": Trial(0.1, Constant(0.0018), 15.0),
    # It makes p anew from sums of all gradients, whose lr has to be the same.
    "FTRL": Trial(Constant(5.0), Constant(0.65), Constant(18.0)),
    "LAMB": Trial(0.15, 0.015, 0.3),
    "LaProp": Trial(0.5, 0.2, 0.8),
    "LARS": Trial(4.0, 4.0, 30.0, {"momentum": 0.9}),
    "Lion": Trial(0.07, 0.003, 0.15),
    "MADGRAD": Trial(0.3, 0.02, 12.0),
    "Muon": Trial(0.15, 0.01, 0.25, {"adam_weight_decay": 0.0}),
    "NAdam": Trial(0.25, 0.035, 0.8),
    "NAdamW": Trial(0.25, 0.035, 0.8),
    "NovoGrad": Trial(0.3, 0.01, 0.5),
    "RAdam": Trial(0.25, RISING, 2.0),
    "RAdamW": Trial(0.25, RISING, 2.0),
    "RMSprop": Trial(0.2, 0.0075, 0.25),
    "Rprop": Trial(0.01, 0.01, 0.002),
    "SGD": Trial(0.1, 0.002, 5.0, {"momentum": 0.9}),
    "SGDW": Trial(0.1, 0.002, 1.5, {"momentum": 0.9}),
    "SignSGD": Trial(0.04, Exponential(0.0034, gamma=0.99908), 0.035),
    "Signum": Trial(0.03, 0.003, 0.15),
    "SM3": Trial(2.5, Constant(0.8), 3.0),
    "Yogi": Trial(0.6, 0.25, 0.8),
}


def test_every_class_is_in_the_table():
    assert list(TABLE) == list(KINDS)


def optimizer(name, problem, params, **more):
    trial = TABLE[name]
    lr = lr_on(problem, getattr(trial, problem))
    return KINDS[name](params, lr=lr, **trial.more, **more)


@each_kind
def test_it_finds_the_minimum_of_a_quadratic(name):
    """Half the sum of h (p - best)^2, with h from 1 to 10: to a millionth, in 300."""
    rng = np.random.default_rng(0)
    h = [np.geomspace(1, 10, 12).reshape(4, 3), np.geomspace(10, 1, 5)]
    best = [rng.choice([-1, 1], c.shape) * rng.uniform(0.5, 2, c.shape) for c in h]
    params = [np.ones((4, 3)), np.ones(5)]

    def gradients():
        return [c * (p - b) for c, p, b in zip(h, params, best, strict=True)]

    def loss():
        return sum((g * g / c).sum() / 2 for g, c in zip(gradients(), h, strict=True))

    first = loss()
    opt = optimizer(name, "quadratic", params, weight_decay=0.0)
    for _ in range(STEPS["quadratic"]):
        opt.step(gradients())
    assert loss() < 1e-6 * first


@each_kind
def test_it_goes_through_rosenbrocks_valley(name):
    """From (-1.2, 1), at 24, to below 0.001: at most 0.08 from the end, (1, 1)."""
    p = np.array([[-1.2, 1.0]])  # a matrix, as Muon is for
    opt = optimizer(name, "rosenbrock", p, weight_decay=0.0)
    for _ in range(STEPS["rosenbrock"]):
        opt.step(rosen_der(p[0])[None])
    assert rosen(p[0]) < 1e-3


@cache
def held_out_digits():
    """Images and labels of 1,437 digits to learn from, and of 360 others."""
    images, labels = digits()
    x = images.reshape(-1, 64) / np.float32(16)
    order = np.random.default_rng(0).permutation(len(x))
    train, rest = order[360:], order[:360]
    return x[train], labels[train], x[rest], labels[rest]


def log_softmax(logits):
    logits = logits - logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@each_kind
def test_it_learns_digits_by_logistic_regression(name):
    """100 full batches, in float32, with the class's own weight decay."""
    x, y, unseen, unseen_labels = held_out_digits()
    rows = np.arange(len(y))
    rng = np.random.default_rng(1)  # not 0, as LARS and LAMB go by norms
    params = {
        "W": rng.normal(0, 0.01, (64, 10)).astype(np.float32),
        "b": np.full(10, 0.01, np.float32),
    }
    opt = optimizer(name, "digits", params)
    for _ in range(STEPS["digits"]):
        d_logits = np.exp(log_softmax(x @ params["W"] + params["b"]))
        d_logits[rows, y] -= 1
        d_logits /= np.float32(len(y))
        opt.step({"W": x.T @ d_logits, "b": d_logits.sum(axis=0)})
    loss = -log_softmax(x @ params["W"] + params["b"])[rows, y].mean()
    found = (unseen @ params["W"] + params["b"]).argmax(axis=1)
    assert loss < 0.2  # log(10) = 2.3 at first
    assert (found == unseen_labels).mean() >= 0.95


@each_kind
def test_ascending_minus_f_is_descending_f(name):
    """To the bit; the gradients follow from the params, so that no difference heals."""

    def gradients(params, sign):
        return [np.asarray(sign * (np.tanh(p) - 0.3)) for p in params]

    down, up, wrong = fresh(), fresh(), fresh()
    more = {**TABLE[name].more, "lr": 0.05, "weight_decay": 0.1, "l2": 0.01}
    one = KINDS[name](down, **more)
    two = KINDS[name](up, maximize=True, **more)
    three = KINDS[name](wrong, **more)
    for _ in range(6):
        one.step(gradients(down, 1))
        two.step(gradients(up, -1))
        three.step(gradients(wrong, -1))
    assert all_same(down, up)
    assert not any(same_bits(a, b) for a, b in zip(down, wrong, strict=True))


# --- arguments, by the constructors' own signatures -----------------------------------


def arguments(name):
    """The hyper-parameters that a class takes, and their types."""
    hints = typing.get_type_hints(KINDS[name].__init__)
    (keywords,) = typing.get_args(hints.pop("common"))
    hints |= typing.get_type_hints(keywords)
    others = {"params", "return", "convention", "num_threads", "denormals"}
    return {k: v for k, v in hints.items() if k not in others}


def schedulable(hint):
    """Whether the type says that a schedule will do."""
    return any(typing.get_origin(a) is Callable for a in typing.get_args(hint))


def elements(hint):
    """The types of the numbers that there are to it, or its own where it is one."""
    for a in (hint, *typing.get_args(hint)):
        if typing.get_origin(a) is tuple:
            return typing.get_args(a)
    return (hint,)


ARGUMENTS = [(name, argument) for name in KINDS for argument in arguments(name)]
each_argument = pytest.mark.parametrize(("name", "argument"), ARGUMENTS)

ANY, NONNEGATIVE = "a finite number", "a finite number >= 0"
POSITIVE, ABOVE_ONE = "a finite number > 0", "a finite number > 1"
NONPOSITIVE = "a finite number <= 0"
FRACTION, SHARE = "a number in [0, 1)", "a number in (0, 1]"
COUNT, NUMBER = "an int >= 0", "an int >= 1"
AT_LEAST_0 = "a number >= 0"

# What is just within a domain, and what is just outside.
EDGES = {
    ANY: ([-1e300, 1e300], [nan, inf, -inf]),
    NONNEGATIVE: ([0.0, 1e300], [nan, inf, -5e-324]),
    POSITIVE: ([5e-324, 1e300], [nan, inf, 0.0, -1.0]),
    NONPOSITIVE: ([-1e300, 0.0], [nan, -inf, 5e-324]),
    ABOVE_ONE: ([1 + 2.0**-52, 1e300], [nan, inf, 1.0]),
    FRACTION: ([0.0, 1 - 2.0**-53], [nan, inf, 1.0, -5e-324]),
    SHARE: ([5e-324, 1.0], [nan, inf, 0.0, 1 + 2.0**-52]),
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
    "FTRL.lr": POSITIVE,
    "etas[0]": FRACTION,
    "etas[1]": ABOVE_ONE,
    "betas": FRACTION,
    "adam_betas": FRACTION,
    "rho": FRACTION,
    "RMSprop.alpha": FRACTION,
    "SM3.momentum": FRACTION,
    "Signum.momentum": FRACTION,
    "MADGRAD.momentum": FRACTION,
    "Muon.momentum": FRACTION,
    "momentum_decay": AT_LEAST_0,
    "ema_decay": FRACTION,
    "lookahead_alpha": SHARE,
    "swa_start": COUNT,
    "ns_steps": COUNT,
    "swa_every": NUMBER,
    "lookahead_steps": NUMBER,
}

# A value of each argument that is not the default; where it is a flag, the other one.
OTHERS = {
    "lr": 0.02,
    "weight_decay": 0.3,
    "betas": (0.5, 0.7),
    "Adan.betas": (0.5, 0.6, 0.7),
    "AdEMAMix.betas": (0.5, 0.7, 0.8),
    "eps": 0.1,
    "ADOPT.eps": 20.0,
    "Adafactor.eps": (0.5, 20.0),
    "Muon.eps": 100.0,
    "eps_root": 0.1,
    "momentum": 0.5,
    "dampening": 0.5,
    "rho": 0.5,
    "alpha": 0.5,
    "lambd": 0.1,
    "t0": 0.0,
    "lr_decay": 0.5,
    "initial_accumulator_value": 0.5,
    "beta2_decay": -0.5,
    "d": 0.5,
    "t_alpha_beta3": 10.0,
    "clip_exp": 0.0,
    "beta": 0.5,
    "l1": 0.1,
    "max_trust": 0.01,
    "trust_coefficient": 0.1,
    "momentum_decay": 0.5,
    "threshold": 4.0,
    "etas": (0.3, 1.5),
    "step_sizes": (1e-3, 0.06),
    "ns_coefficients": (2.0, -1.5, 0.5),
    "ns_steps": 2,
    "adjust_lr_fn": "match_rms_adamw",
    "adam_lr_ratio": 0.5,
    "adam_betas": (0.5, 0.7),
    "adam_eps": 0.1,
    "adam_weight_decay": 0.5,
    "l2": 0.1,
    "ema_decay": 0.5,
    "swa_start": 2,
    "swa_every": 2,
    "lookahead_steps": 2,
    "lookahead_alpha": 0.25,
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
    "independent_weight_decay": {"decoupled_weight_decay": True},
    "swa_every": {"swa_start": 1},
    "lookahead_alpha": {"lookahead_steps": 2},
}


def find(table, name, argument, default=None):
    return table.get(f"{name}.{argument}", table.get(argument, default))


def hyper(name, params=None, **kwargs):
    """The hyper-parameters of the first group."""
    params = np.ones((2, 2)) if params is None else params
    group = dict(KINDS[name](params, **kwargs).param_groups[0])
    del group["params"]
    return group


def other(name, argument):
    """Another value than the default."""
    if arguments(name)[argument] is bool:
        return not hyper(name)[argument]
    return find(OTHERS, name, argument)


def test_the_tables_of_arguments_name_arguments():
    known = {argument for _, argument in ARGUMENTS}
    known |= {f"{name}.{argument}" for name, argument in ARGUMENTS}
    known |= {"etas[0]", "etas[1]"}
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
            DOMAINS.get(where, domain),
            lambda value, i=i: (*rest[:i], value, *rest[i + 1 :]),
        )


def error_of(where, text, value):
    """What to match: the argument, its domain and the value found."""
    found = re.escape(repr(value))
    return rf"^{re.escape(where)}: expected {re.escape(text)}.*, found {found}$"


def refuses(name, argument, given, error):
    """Whether for all or for one group."""
    p = np.ones((2, 2))
    with pytest.raises((TypeError, ValueError), match=error):
        KINDS[name](p, **{argument: given})
    with pytest.raises((TypeError, ValueError), match=error):
        KINDS[name]([{"params": p, argument: given}])


@each_argument
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
            assert hyper(name, **{argument: put(value)})[argument] == put(value)
        for value in [*refused, *STRANGE, *([] if optional else [None])]:
            refuses(name, argument, put(value), error_of(where, text, value))
    if len(kinds) > 1:
        for value in (0.5, (0.5,), (0.5,) * (len(kinds) + 1), None):
            text = f"{len(kinds)} numbers"
            refuses(name, argument, value, error_of(argument, text, value))


@pytest.mark.parametrize(
    ("name", "argument"), [a for a in ARGUMENTS if schedulable(arguments(a[0])[a[1]])]
)
def test_a_schedule_out_of_the_domain_leaves_all_as_it_was(name, argument):
    """One of the last group; afterwards the run goes on as if it had not been tried."""
    good = other(name, argument)
    now = [good]

    def optimizer_of(params, value):
        return KINDS[name](
            [{"params": params[:1]}, {"params": params[1:], argument: value}], lr=0.1
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
FIXED = {"t0", "initial_accumulator_value", "ns_steps", "adjust_lr_fn"}
FIXED |= {"swa_start", "swa_every", "lookahead_steps"}


@each_argument
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
    one = KINDS[name](params, **{argument: lambda t: value})
    two = KINDS[name](twins, **{argument: value})
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
    kwargs = {**kwargs, "lr": Linear(0.05, 0.01, steps=6)}
    one = KINDS[name](params, momentum=lambda t: 0.9 if t % 3 else 0.0, **kwargs)
    two = KINDS[name](twins, momentum=lambda t: 0.9 if t % 3 else 1e-99, **kwargs)
    for t in range(6):
        one.step(draw(params, t))
        two.step(draw(twins, t))
    assert all_same(params, twins)
    assert same_states(one.state, two.state)


@each_argument
def test_groups_with_arguments_of_their_own_are_optimizers_of_their_own(name, argument):
    """To the bit, params and states; and the argument makes a difference."""
    common = {"lr": Linear(0.05, 0.01, steps=8), "weight_decay": 0.2}
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


# --- averages -------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize(("start", "every"), [(0, 1), (3, 2), (5, 4)])
@pytest.mark.parametrize("lookahead", [None, 3])
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
        lookahead_steps=lookahead,
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


@each_kind
@pytest.mark.parametrize(("steps", "alpha"), [(1, 0.5), (3, 0.25), (4, 1.0)])
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
    opt = KINDS[name](params, lr=0.05, ema_decay=0.5, swa_start=2, lookahead_steps=2)
    for t in range(5):
        opt.step(draw(params, t))
    saved, before = opt.state_dict(), bits_of(opt, params)
    for average in ("ema", "swa", "slow"):
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
    averages = {"ema_decay": 0.9, "swa_start": 3, "swa_every": 2, "lookahead_steps": 3}
    straight, broken = fresh(), fresh()
    one = KINDS[name](straight, lr=0.05, **averages)
    two = KINDS[name](broken, lr=0.05, **averages)
    for t in range(4):
        one.step(draw(straight, t))
        two.step(draw(broken, t))
    restored, saved = pickle.loads(pickle.dumps((broken, two.state_dict())))
    for t in range(4, 6):
        two.step(draw(broken, t))  # what was saved is a copy
    others = {"ema_decay": 0.5, "swa_start": 9, "lookahead_steps": 2}
    three = KINDS[name](restored, **others)
    three.load_state_dict(saved)
    for t in range(4, 10):
        one.step(draw(straight, t))
        three.step(draw(restored, t))
    assert all_same(straight, restored)
    assert same_states(one.state, three.state)
    assert all_same(one.ema, three.ema)
    assert all_same(one.swa, three.swa)
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


# --- conventions ----------------------------------------------------------------------

CONVENTIONS = [
    (name, c) for name, found in AVAILABLE.items() for c in found.conventions
]


def promised(name, convention):
    """What the class's docstring says that a convention sets."""
    text = " ".join(KINDS[name].__doc__.split())
    found = re.search(rf"``{convention}``: (.*?)\. (?:``|Default)", text)
    return eval(f"dict({found[1]})", {"inf": inf}) if found else {}


@pytest.mark.parametrize(("name", "convention"), CONVENTIONS)
def test_a_convention_is_the_arguments_that_it_stands_for(name, convention):
    """And what is said by the caller, or of a group, wins over it."""
    plain, preset = hyper(name), hyper(name, convention=convention)
    assert preset == {**plain, **promised(name, convention)}
    differing = {k: v for k, v in preset.items() if v != plain[k]}
    assert convention != "torch" or not differing

    by_convention, by_hand = fresh(), fresh()
    one = KINDS[name](by_convention, convention=convention)
    two = KINDS[name](by_hand, **differing)
    for t in range(4):
        one.step(draw(by_convention, t))
        two.step(draw(by_hand, t))
    assert all_same(by_convention, by_hand)
    assert same_states(one.state, two.state)

    positional = [*signature(KINDS[name]).parameters][1:-1]
    for argument in differing:
        for value in (plain[argument], other(name, argument)):
            wanted = {**preset, argument: value}
            said = {argument: value}
            assert hyper(name, convention=convention, **said) == wanted
            groups = [{"params": np.ones((2, 2)), **said}]
            assert hyper(name, groups, convention=convention) == wanted
        if argument in positional:
            count = positional.index(argument) + 1
            opt = KINDS[name](
                np.ones((2, 2)),
                *[plain[a] for a in positional[:count]],
                convention=convention,
            )
            group = dict(opt.param_groups[0])
            assert all(group[a] == plain[a] for a in positional[:count])
            rest = differing.keys() - positional[:count]
            assert all(group[a] == preset[a] for a in rest)


@each_kind
def test_an_unknown_convention_names_the_known(name):
    known = AVAILABLE[name].conventions
    assert known[0] == "torch"
    for convention in {"torch", "keras", "optax", "paper", "jax", None} - {*known}:
        error = (
            f"convention: expected one of {[*known]} for {name}, found {convention!r}"
        )
        with pytest.raises(ValueError, match=f"^{re.escape(error)}$"):
            KINDS[name](np.ones(3), convention=convention)


# --- memory order, threads, rows and columns ------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape", "kwargs"),
    [
        ("Adafactor", (7, 5), {}),
        ("Adafactor", (3, 40), {"convention": "keras", "weight_decay": 0.1}),
        ("SM3", (7, 5), {}),
        ("SM3", (3, 40), {"momentum": 0.9, "weight_decay": 0.1}),
        ("SM3", (3, 4, 5), {}),
        ("SM3", (2, 3, 4, 5), {"momentum": 0.9}),
    ],
)
def test_factored_moments_are_the_same_in_either_memory_order(name, shape, kwargs):
    rng = np.random.default_rng(0)
    c = ordinary(rng, shape, "float64")
    f = np.asfortranarray(c)
    assert not f.flags.c_contiguous
    one, two = (KINDS[name](p, lr=0.1, **kwargs) for p in (c, f))
    for _ in range(6):
        g = ordinary(rng, shape, "float64")
        one.step(g)
        two.step(np.asfortranarray(g))
    close([c], [f])
    assert one.state[0].keys() == two.state[0].keys()
    close(one.state[0].values(), two.state[0].values())


def test_a_nan_stays_in_the_accumulators_of_sm3():
    opt = lrcore.SM3(np.ones((2, 3)))
    g = np.ones((2, 3))
    g[0, 1] = nan
    opt.step(g)
    assert np.isnan(opt.state[0]["acc_0"]).tolist() == [True, False]
    assert np.isnan(opt.state[0]["acc_1"]).tolist() == [False, True, False]


def test_adafactor_refuses_fortran_order_of_three_dimensions():
    p = np.zeros((2, 3, 4), order="F")
    with pytest.raises(ValueError, match=r"^params: Adafactor .* 3 dim.* C order only"):
        lrcore.Adafactor(p)
    assert lrcore.Adafactor(np.ascontiguousarray(p)).step(np.ones((2, 3, 4)))


@each_kind
@each_dtype
@pytest.mark.parametrize("order", ["C", "F"])
def test_two_threads_change_no_bit(name, dtype, order):
    """Of what is large enough for a second: from 65,536 elements on."""
    rng = np.random.default_rng(0)
    shapes = [(300, 400), (20_011,)]
    grads = [np.asarray(ordinary(rng, s, dtype), order=order) for s in shapes]
    runs = []
    for threads in (1, 2):
        params = [np.full(s, 0.5, dtype, order=order) for s in shapes]
        more = {**TABLE[name].more, "lr": 0.05, "weight_decay": 0.1}
        opt = KINDS[name](params, num_threads=threads, ema_decay=0.5, **more)
        for _ in range(2):
            opt.step(grads)
        runs.append((params, opt.state))
    assert all_same(runs[0][0], runs[1][0])
    assert same_states(runs[0][1], runs[1][1])


@pytest.fixture
def restore_isa():
    held = lrcore.get_isa()
    yield
    lrcore.set_isa(held)


@pytest.mark.usefixtures("restore_isa")
@each_dtype
@pytest.mark.parametrize("values", [ordinary, wild])
@pytest.mark.parametrize(
    "shape",
    [
        *((1, 1), (1, 7), (7, 1), (1, 5000), (5000, 1), (4, 33), (33, 4), (31, 33)),
        *((3, 2047), (3, 2049), (300, 400), (3, 4, 5), (2, 1, 33), (5, 33, 1)),
        (2, 3, 4, 5),
    ],
)
def test_rows_and_columns_are_those_of_the_reference(shape, values, dtype):
    """To the bit: sums of squares, and the largest of SM3's."""
    rng = np.random.default_rng(0)
    g = values(rng, shape, dtype)
    *batch, rows, cols = shape
    count = int(np.prod(batch, dtype=int))
    row = np.abs(ordinary(rng, max(1, count * rows), dtype))
    col = np.abs(ordinary(rng, max(1, count * cols), dtype))
    for least in (False, True):
        factors = _core.Factors(least, row, col, rows, cols, 1e-30)
        wanted = reference.factor_stats(g, factors)
        for isa in [name for name, runs in _core.isas().items() if runs]:
            lrcore.set_isa(isa)
            for threads in (1, 2, 3):
                got = _core.factor_stats(g, factors, threads, True)
                assert all_same(got, wanted), (least, isa, threads)
