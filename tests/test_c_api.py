"""Plans of lrcore.h take the steps of lrcore's optimizers, to the bit."""

import random

import numpy as np
import pytest
from c_plans import (
    ALL,
    LIBRARY,
    OK,
    SKIPPED,
    TAKEN,
    Plan,
    hypers_of,
    names_of,
    states_of,
)
from rounding import UPWARD, libm

import lrcore
from lrcore import _core

pytestmark = pytest.mark.isa

# For each rule with hyper-parameters: the optimizer, and what turns it to this rule.
OPTIMIZERS = {
    "sgd": (lrcore.SGD, {}),
    "momentum": (lrcore.SGD, {"momentum": 0.9}),
    "nesterov": (lrcore.SGD, {"momentum": 0.9, "nesterov": True}),
    "sign": (lrcore.SignSGD, {}),
    "signum": (lrcore.Signum, {}),
    "lion": (lrcore.Lion, {}),
    "adam": (lrcore.Adam, {}),
    "amsgrad": (lrcore.Adam, {"amsgrad": True}),
    "laprop": (lrcore.LaProp, {}),
    "adabelief": (lrcore.AdaBelief, {}),
    "yogi": (lrcore.Yogi, {}),
    "adamax": (lrcore.Adamax, {}),
    "adagrad": (lrcore.Adagrad, {}),
    "rmsprop": (lrcore.RMSprop, {}),
    "rmsprop_centered": (lrcore.RMSprop, {"centered": True}),
    "rmsprop_momentum": (lrcore.RMSprop, {"momentum": 0.9}),
    "rmsprop_centered_momentum": (
        lrcore.RMSprop,
        {"centered": True, "momentum": 0.9},
    ),
    "adadelta": (lrcore.Adadelta, {}),
}
BEGINS = {"yogi": 1e-6}  # the states, where they do not begin as 0


def drawn(rule, rng):
    """Hyper-parameters of a rule, other than the defaults, often near their bounds."""
    found = {}
    for name in hypers_of(rule):
        if name in ("beta1", "beta2", "alpha", "rho", "ema_decay") or (rule, name) == (
            "signum",
            "momentum",
        ):
            found[name] = rng.choice(
                [0.0, rng.random(), 1 - 10.0 ** rng.uniform(-9, -1)]
            )
        elif name == "maximize":
            found[name] = float(rng.random() < 0.3)
        elif name == "clip_value":
            found[name] = rng.choice([0.0, 1.5])
        elif name == "momentum":
            found[name] = rng.uniform(0.01, 1.2)
        elif name == "dampening":
            found[name] = rng.uniform(-0.5, 0.9)
        else:
            found[name] = rng.choice([0.0, 10.0 ** rng.uniform(-12, 0)])
    found["lr"] = 10.0 ** rng.uniform(-5, 0)
    return found


def optimizer(rule, p, hyper, **options):
    """The optimizer in Python with the hyper-parameters of a group in C."""
    kind, given = OPTIMIZERS[rule]
    hyper = dict(hyper)
    given = {**given, "ema_decay": hyper.pop("ema_decay"), **options}
    given["maximize"] = bool(hyper.pop("maximize"))
    given["clip_value"] = hyper.pop("clip_value") or None
    if "beta1" in hyper:
        given["betas"] = (hyper.pop("beta1"), hyper.pop("beta2"))
    return kind(p, decoupled_weight_decay=True, **given | hyper)


def test_rules_have_the_hyper_parameters_that_are_tested():
    rules = [name for name in _core.RULES if hypers_of(name)]
    assert rules == list(OPTIMIZERS)


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_hyper_parameters_begin_as_the_defaults_of_the_optimizer(rule):
    kind, given = OPTIMIZERS[rule]
    plan = Plan()
    group = plan.group(rule)
    found = {name: plan.got("get_hyper", group, name) for name in hypers_of(rule)}
    opt = kind(np.ones(1), **given)
    del found["ema_decay"], found["weight_decay"]  # None and that of the class
    if "beta1" in found:
        found["betas"] = (found.pop("beta1"), found.pop("beta2"))
    found["clip_value"] = found["clip_value"] or None
    assert found == {name: getattr(opt, name) for name in found}


@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_hyper_parameters_fold_to_the_same_coefficients(rule):
    """Bit by bit, at any step."""
    rng = random.Random(rule)
    p, g, average = np.ones(1), np.zeros(1), np.zeros(1)
    names = names_of(LIBRARY.lrc_rule_coefs(LIBRARY.lrc_rule_id(rule.encode())))
    for _ in range(30):
        hyper, t = drawn(rule, rng), rng.choice([1, 2, 3, rng.randrange(1, 10**6)])
        plan = Plan()
        group = plan.group(rule, **hyper)
        assert plan.tensor(group, p, g, *states_of(rule, p)) == 0
        assert plan.set_average(0, average) == OK
        assert plan.set_steps(t - 1) == OK
        assert plan.measure() == TAKEN, plan.text
        (part,) = optimizer(rule, p.copy(), hyper).param_groups[0].parts
        f = part.folded
        decay, lr, *own = f.coefs(t, f.lr, f.decay)
        wanted = {"gscale": f.gscale, "l2": f.l2, "decay": decay, "lr": lr}
        wanted |= {"clip_value": f.clip_value, "average": f.weights(t)[0]}
        wanted |= dict(zip(names, own, strict=rule != "momentum"))
        found = {name: plan.got("get_coef", group, name) for name in wanted}
        assert found == wanted


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_steps_are_those_of_the_optimizer(rule, dtype):
    rng, more = np.random.default_rng(1), random.Random(rule)
    params = [rng.standard_normal(n).astype(dtype) for n in (5, 3000)]
    hyper = drawn(rule, more)
    options = {"clip_norm": 20.0, "clip_eps": 1e-6, "grad_scale": 0.5}
    wanted = [p.copy() for p in params]
    opt = optimizer(rule, wanted, hyper, telemetry=True, **options)
    plan, grads = Plan(), [np.empty_like(p) for p in params]
    group = plan.group(rule, **hyper)
    averages = [np.zeros_like(p) for p in params]
    for k, (p, g, a) in enumerate(zip(params, grads, averages, strict=True)):
        states = states_of(rule, p)
        for state in states:
            state.fill(BEGINS.get(rule, 0))
        assert plan.tensor(group, p, g, *states) == k, plan.text
        assert plan.set_average(k, a) == OK, plan.text
    for name, value in {**options, "report": 1}.items():
        assert plan.set_option(name, value) == OK, plan.text
    for t in range(6):
        for g in grads:
            g[:] = rng.standard_normal(g.size)
        assert opt.step([g.copy() for g in grads])
        assert plan.step() == TAKEN, plan.text
        assert plan.steps() == t + 1
        for mine, theirs in zip(params, wanted, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        norms = plan.all_norms()
        for mine, theirs in (
            ("grad", "grad_norm"), ("param", "param_norm"), ("update", "update_norm")
        ):  # fmt: skip
            np.testing.assert_equal(norms[mine], getattr(opt.report, theirs))
    for mine, theirs in zip(averages, opt.ema, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.skipif(UPWARD is None, reason="how to round up is not known here")
def test_hyper_parameters_are_not_folded_as_the_caller_rounds():
    found = []
    for rounding in (0, UPWARD):
        p = np.ones(9)
        plan = Plan()
        plan.tensor(plan.group("adam", lr=0.1), p, p / 3, *states_of("adam", p))
        libm.fesetround(rounding)
        try:
            assert {plan.step() for _ in range(9)} == {TAKEN}
            assert libm.fegetround() == rounding
        finally:
            libm.fesetround(0)
        found.append(p)
    np.testing.assert_array_equal(*found)


def test_coefficients_can_be_set_instead_of_hyper_parameters():
    p, g, m = np.ones(3), np.array([1.0, 2, -4]), np.zeros(3)
    plan = Plan()
    group = plan.group("momentum")
    assert plan.tensor(group, p, g, m) == 0
    for name, value in {"lr": 0.5, "mu": 0.5, "w": 2, "decay": 0.25}.items():
        assert plan.set_coef(group, name, value) == OK
    assert (plan.step(), plan.step()) == (TAKEN, TAKEN)
    np.testing.assert_array_equal(m, 3 * g)
    np.testing.assert_array_equal(p, (1 / 4 - g) / 4 - 1.5 * g)


def test_options_are_what_was_set():
    plan = Plan()
    for name in ("grad_scale", "clip_norm", "num_threads", "keep_subnormals"):
        assert plan.set_option(name, 1) == OK
        assert plan.got("get_option", name) == 1


def test_gradients_are_zeroed_and_steps_skipped():
    p, g = np.ones(3, np.float32), np.array([1, np.nan, np.inf], np.float32)
    plan = Plan()
    assert plan.tensor(plan.group("sgd", lr=1), p, g) == 0
    for name in ("skip_nonfinite", "report"):
        assert plan.set_option(name, 1) == OK
    assert plan.step() == SKIPPED
    assert plan.steps() == 0
    assert (p == 1).all()
    assert plan.all_norms()["nonfinite"] == 2
    assert np.isnan(g[1])
    assert plan.set_option("zero_grads", 1) == OK
    assert plan.step() == SKIPPED
    assert (g == 0).all()
    other = np.full(3, 2, np.float32)
    assert plan.set_gradient(0, other) == OK
    assert plan.step() == TAKEN
    assert (p == -1).all()
    assert (other == 0).all()


def test_measuring_changes_nothing():
    p, g, m = np.ones(3), np.array([3.0, 4, 0]), np.zeros(3)
    plan = Plan()
    assert plan.tensor(plan.group("momentum"), p, g, m) == 0
    assert plan.set_option("clip_norm", 1) == OK
    assert plan.measure() == TAKEN
    found = plan.all_norms(0)
    assert (found["grad"], found["clipped"], found["nonfinite"]) == (5, 1, 0)
    assert np.isnan(found["param"])
    assert found["update"] == 0
    assert found.keys() == plan.all_norms(ALL).keys()
    assert (*p, *g, *m) == (1, 1, 1, 3, 4, 0, 0, 0, 0)
    assert plan.steps() == 0


def test_an_empty_plan_and_an_empty_tensor_step():
    plan = Plan()
    assert plan.step() == TAKEN
    assert (
        plan.add_tensor(
            plan.group("adam"), 0, 0, None, None, (states := np.zeros(2, np.uint64)), 2
        )
        == 0
    ), plan.text
    assert (plan.step(), plan.steps()) == (TAKEN, 2)
    assert not states.any()


def test_other_plans_step_at_the_same_time():
    from concurrent.futures import ThreadPoolExecutor

    def run(k):
        p, g = np.ones(50_000), np.full(50_000, float(k))
        plan = Plan()
        plan.tensor(plan.group("adam", lr=0.1), p, g, *states_of("adam", p))
        plan.set_option("parallel_from", 1)
        for _ in range(20):
            assert plan.step() == TAKEN
            assert plan.set_hyper(0, "lr", -1) < 0
            assert plan.text.endswith("found -1")
        return p

    with ThreadPoolExecutor(4) as pool:
        found = [*pool.map(run, [1, 2, 1, 2])]
    for mine, theirs in zip(found[:2], found[2:], strict=True):
        np.testing.assert_array_equal(mine, theirs)
