"""What lrcore.h refuses, with a text that names the argument; nothing is written."""

import ctypes
import random
import re

import numpy as np
import pytest
from c_plans import (
    BAD_ARGUMENT,
    LIBRARY,
    NO_MEMORY,
    OK,
    REFUSED,
    TAKEN,
    Plan,
    contents,
    hypers_of,
    names_of,
    states_of,
    two_tensors,
)

from lrcore import _core

NAN, INF = float("nan"), float("inf")


@pytest.fixture
def plan():
    return two_tensors()


P = np.ones(4)
STATES = (ctypes.c_void_p * 2)(P.ctypes.data + 1, P.ctypes.data)
AT = ctypes.addressof(STATES)
WRONG = [
    ("add_group", (-1,), r"rule: expected a number from 0 to \d+, as lrc_rule_id"),
    ("add_group", (len(_core.RULES),), r"rule: .*, found \d+$"),
    ("set_hyper", (2, "lr", 1), "group: expected a number from 0 to 1, .*, found 2"),
    ("set_hyper", (-1, "lr", 1), "group: .*, found -1"),
    ("set_hyper", (0, "LR", 1), 'name: expected one of lr, .*, eps, found "LR"'),
    ("set_hyper", (0, "l", 1), 'name: .* found "l"'),
    ("set_hyper", (0, "", 1), 'name: .* found ""'),
    ("set_hyper", (0, "x" * 5000, 1), 'name: .* found "x{40}"'),
    ("set_hyper", (0, None, 1), "name: found NULL"),
    ("set_hyper", (0, "lr", -1), "lr: expected a finite number >= 0, found -1"),
    ("set_hyper", (0, "lr", INF), "lr: .*, found inf"),
    ("set_hyper", (0, "lr", NAN), "lr: .*, found -?nan"),
    ("set_hyper", (0, "beta1", 1), r"beta1: expected a number in \[0, 1\), found 1"),
    ("set_hyper", (0, "beta2", NAN), r"beta2: .*, found -?nan"),
    ("set_hyper", (0, "maximize", 0.5), "maximize: expected 0 or 1, found 0.5"),
    ("set_hyper", (1, "lr", 1), r"group 1: lrc_plan_set_coef\(\) has been called"),
    ("get_hyper", (0, "lr", None), "value: found NULL"),
    ("get_hyper", (0, "x", AT), 'name: .* found "x"'),
    ("set_coef", (1, "mu", 1), "name: expected one of gscale, l2, decay, lr, clip"),
    ("set_coef", (1, "lr, clip_value", 1), 'name: .*found "lr, clip_value"'),
    (
        "set_coef",
        (0, "1-b", 1),
        'name: .*average, 1-b1, 1-b2, root, r, eps, found "1-b"',
    ),
    ("set_coef", (1, "lr", NAN), "lr: expected a finite number, found -?nan"),
    ("set_coef", (1, "clip_value", -1), "clip_value: expected a finite number >= 0"),
    ("get_coef", (1, "lr", None), "value: found NULL"),
    ("set_option", ("clip", 1), 'name: expected one of grad_scale, .* found "clip"'),
    ("set_option", ("clip_norm", -1), "clip_norm: .* >= 0, found -1"),
    ("set_option", ("grad_scale", 0), "grad_scale: .* > 0, found 0"),
    ("set_option", ("num_threads", 1.5), "num_threads: expected a whole number, .*1.5"),
    ("set_option", ("num_threads", 2**31), "num_threads: .*, found 2.14748e"),
    ("set_option", ("num_threads", NAN), "num_threads: .*nan"),
    ("get_option", ("clip_norm", None), "value: found NULL"),
    ("set_steps", (2**53,), r"steps: expected a number below 2\^53, found 9007199254"),
    ("set_gradient", (2, P), "tensor: expected a number from 0 to 1, .*, found 2"),
    ("set_gradient", (0, None), "g: expected the address of 4 elements, found NULL"),
    (
        "set_gradient",
        (0, P.ctypes.data + 4),
        "g: expected an address that is a multipl",
    ),
    ("set_average", (0, P.ctypes.data + 4), "a: .* multiple of 8"),
    ("norms", (0, None), "norms: found NULL"),
    ("norms", (2, AT), "tensor: expected a number from 0 to 1, .*, found 2"),
    ("norms", (0, AT), "norms: nothing was measured"),
    ("add_tensor", (2, 1, 4, P, P, AT, 2), "group: .*, found 2"),
    (
        "add_tensor",
        (0, 2, 4, P, P, AT, 2),
        r"dtype: expected LRC_F32 \(0\) or .*found 2",
    ),
    ("add_tensor", (0, -1, 4, P, P, AT, 2), "dtype: .*, found -1"),
    ("add_tensor", (0, 1, 4, None, P, AT, 2), "p: .* found NULL"),
    ("add_tensor", (0, 1, 4, P, None, AT, 2), "g: .* found NULL"),
    (
        "add_tensor",
        (0, 1, 4, P, P, None, 2),
        r"states: expected 2 addresses \(m, v >= 0",
    ),
    (
        "add_tensor",
        (0, 1, 4, P, P, AT, 1),
        "n_states: expected 2, as the rule adam has",
    ),
    ("add_tensor", (0, 1, 4, P, P, AT, 3), "n_states: .*found 3"),
    (
        "add_tensor",
        (0, 1, 4, P, P, AT, 2),
        r"states\[0\]: expected an address that is a",
    ),
    ("add_tensor", (0, 1, 2**63, P, P, AT, 2), "n: expected at most .*, found 922337"),
]


@pytest.mark.parametrize(("function", "given", "text"), WRONG)
def test_what_is_wrong_is_refused(plan, function, given, text):
    before = contents(plan)
    wanted = REFUSED if text.startswith(("group 1:", "norms: n")) else BAD_ARGUMENT
    assert getattr(plan, function)(*given) == wanted
    assert re.match(text, plan.text), plan.text
    assert len(plan.text) < 511, "it is whole"
    after = contents(plan)
    assert before[:2] == after[:2]
    np.testing.assert_array_equal(before[2], after[2])
    assert plan.step() == TAKEN, plan.text
    assert plan.steps() == 1


def test_no_plan_is_refused():
    plan = Plan.__new__(Plan)
    plan.at, plan.kept = None, []
    for function, given, _ in WRONG:
        assert getattr(plan, function)(*given) == BAD_ARGUMENT
    for function in ("prepare", "step", "measure"):
        assert getattr(plan, function)() == BAD_ARGUMENT
    assert plan.steps() == 0
    assert plan.text.startswith("plan: expected one of lrc_plan_create()")


@pytest.mark.parametrize("rule", _core.RULES)
def test_each_coefficient_must_be_set(rule):
    """And no two of a rule have the same name."""
    plan, p = Plan(), np.ones(2)
    group = plan.group(rule)
    assert plan.tensor(group, p, np.ones(2), *states_of(rule, p)) == 0
    number = LIBRARY.lrc_rule_id(rule.encode())
    assert LIBRARY.lrc_rule_name(number).decode() == rule
    names = ["lr", *names_of(LIBRARY.lrc_rule_coefs(number))]
    assert (
        len({*names, "gscale", "l2", "decay", "clip_value", "average"})
        == len(names) + 5
    )
    for k, name in enumerate(names):
        if k or not hypers_of(rule):
            assert plan.step() == REFUSED
            assert f"coefficient {name} " in plan.text
        assert plan.set_coef(group, name, 0.25) == OK
        assert plan.got("get_coef", group, name) == 0.25
    assert plan.step() == TAKEN
    assert plan.set_hyper(group, "lr", 1) == REFUSED


def test_a_rule_without_hyper_parameters_says_so():
    plan = Plan()
    assert plan.group("madgrad") == 0
    assert plan.set_hyper(0, "lr", 1) == REFUSED
    assert "the rule madgrad takes coefficients only" in plan.text


def test_rates_out_of_range_are_refused():
    p = np.ones(2)
    plan = Plan()
    plan.tensor(plan.group("adam", lr=1e308), p, p.copy(), *states_of("adam", p))
    assert plan.step() == REFUSED
    assert plan.text.startswith(
        "group 0: lr and weight_decay give numbers that are not"
    )
    assert (p == 1).all()


def test_names_of_no_rule():
    for name in (b"", b"Adam", b"adam ", None):
        assert LIBRARY.lrc_rule_id(name) == BAD_ARGUMENT
    for number in (-1, LIBRARY.lrc_rule_count(), 2**31 - 1):
        for function in ("name", "states", "coefs"):
            assert getattr(LIBRARY, f"lrc_rule_{function}")(number) is None
        assert LIBRARY.lrc_rule_n_states(number) == BAD_ARGUMENT
        assert LIBRARY.lrc_rule_hyper(number, 0) is None
    for i in (-1, 9, 10, 2**31 - 1):
        assert LIBRARY.lrc_rule_hyper(7, i) is None


def test_settings_of_the_process_take_no_number_or_name_that_is_not_there():
    for what in ("isa", "threading"):
        count, name = (getattr(LIBRARY, f"lrc_{what}_{x}") for x in ("count", "name"))
        name.restype, name.argtypes = ctypes.c_char_p, [ctypes.c_size_t]
        assert name(count() - 1) is not None
        assert name(count()) is name(2**64 - 1) is None
        assert getattr(LIBRARY, f"lrc_set_{what}")(b"x") == -1
    assert LIBRARY.lrc_isa_runs(LIBRARY.lrc_isa_count()) == 0


def test_each_result_has_a_text():
    texts = [LIBRARY.lrc_error_text(code) for code in range(-3, 2)]
    assert len({*texts}) == 5
    assert LIBRARY.lrc_error_text(-99) == b"no such error"


def test_a_step_that_is_refused_leaves_the_norms_of_the_last(plan):
    assert plan.set_option("report", 1) == OK
    assert plan.step() == TAKEN
    before = plan.all_norms()
    assert plan.set_hyper(0, "lr", 1e200) == OK
    assert plan.set_hyper(0, "weight_decay", 1e200) == OK
    assert plan.step() == plan.measure() == REFUSED
    assert plan.all_norms() == before


def test_any_calls_in_any_order_leave_a_plan_that_works():
    rng = random.Random(1)
    p, g, a = (np.ones((3, 8)) for _ in range(3))
    s = np.zeros((3, 2, 8))
    names = [
        *hypers_of("adam"),
        "mu",
        "1-b1",
        "r",
        "clip_norm",
        "report",
        "",
        "num_threads",
    ]
    numbers = [0, 0.5, 1, 2, -1, NAN, INF, 1e308, 1e-310]
    for _ in range(60):
        plan = Plan()
        results = set()
        for _ in range(60):
            which = rng.choice(("group", "tensor", "hyper", "coef", "option", "more"))
            number, name = rng.choice((-1, 0, 1, 2)), rng.choice(names)
            value = rng.choice(numbers)
            if which == "group":
                result = plan.add_group(rng.randrange(-1, 10))
            elif which == "tensor":
                k, n_states = rng.randrange(3), rng.randrange(4)
                result = plan.tensor(number, p[k], g[k], *s[k][: min(n_states, 2)])
            elif which == "option":
                result = plan.set_option(name, value)
            elif which == "more":
                function, given = rng.choice((
                    (plan.step, ()), (plan.prepare, ()), (plan.measure, ()),
                    (plan.set_gradient, (number, rng.choice((*g, p[0], None)))),
                    (plan.set_average, (number, rng.choice((*a, p[0], None)))),
                    (plan.set_steps, (rng.choice((0, 5, 2**53 - 1, 2**60)),)),
                ))  # fmt: skip
                result = function(*given)
            else:
                result = getattr(plan, f"set_{which}")(number, name, value)
            assert result >= NO_MEMORY
            assert result >= 0 or len(plan.text) > 10
            results.add(result)
        assert {OK, BAD_ARGUMENT} <= results
