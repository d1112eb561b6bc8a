"""Schedules and optimizers by their names."""

import re

import numpy as np
import pytest

import lrcore
from lrcore import schedules
from lrcore.schedules import Cosine, MultiStep, Schedule, make

# The options that a schedule needs.
OPTIONS = {
    "CosineRestarts": {"every": 9},
    "Cyclic": {"base": 0.01, "up": 10},
    "Exponential": {"gamma": 0.9},
    "InverseTime": {"rate": 0.5},
    "MultiStep": {"at": (30, 60)},
    "StepDecay": {"gamma": 0.5, "every": 20},
}
NAMES = [
    *("Constant", "Cosine", "FlatCosine", "InverseSqrt", "Linear", "OneCycle"),
    *("Polynomial", "Rex", "Tanh", "WSD", *OPTIONS),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("warmup", [0, 10, 90])
def test_all_are_made_alike(name, warmup):
    """The rate is highest at peak; the run has as many steps with a warm-up."""
    s = make(name, 0.5, 100, warmup=warmup, **OPTIONS.get(name, {}))
    assert type(s).__name__ == ("Warmup" if warmup else name)
    after = s.after if warmup else s
    assert getattr(after, "total", 100 - warmup) == 100 - warmup
    values = s(np.arange(120))
    close = 1e-5 if name == "Tanh" else 1e-15  # which begins near to its base
    assert values.max() == pytest.approx(0.5, rel=close)
    if "total" in vars(after):
        assert s(100) == s(119) < 0.01


def test_names_are_those_that_can_be_made():
    with pytest.raises(ValueError, match="name: expected one of") as caught:
        make("Cosin", 0.5, 100)
    found = re.search(
        "one of (.*), found 'Cosin'; did you mean Cosine", str(caught.value)
    )
    own = {name for name in found[1].split(", ") if "." not in name}
    assert own == set(NAMES), "name it in NAMES, or in OPTIONS with what it needs"


def test_a_run_may_be_all_warmup():
    s = make("Cosine", 0.1, 100, warmup=100)
    assert s == Cosine(0.1, total=0).warmup(100)
    assert (s(0), s(99)) == (0.001, 0.1)
    assert make("Linear", 0.1, 0)(0) == 0.1


def test_options_are_passed_on():
    assert make("Cosine", 0.1, 9, end=0.01) == Cosine(0.1, 9, end=0.01)
    assert make("Linear", 0.1, 9, end=0.01)(9) == 0.01
    assert make("MultiStep", 0.1, 9, at=()) == MultiStep(0.1, ())
    assert make("WSD", 0.1, 100) == schedules.WSD(0.1, 100, 0, 10)


@pytest.mark.parametrize(
    ("args", "options", "text"),
    [
        (("Noam", 0.1, 9), {}, "name: expected one of .* found 'Noam'"),
        ((Cosine, 0.1, 9), {}, "name: expected one of .* found <class"),
        (("Cosine", np.inf, 9), {}, "peak: expected a finite number, found inf"),
        (("Cosine", 0.1, -1), {}, "total: expected a number of steps"),
        (("OneCycle", "x", 9), {}, "peak: expected a finite number"),
        (("Cosine", 0.1, 9), {"warmup": 10}, "warmup: expected at most total = 9, fo"),
        (("Cosine", 0.1, 9), {"warmup": 0.5}, "warmup: expected a number of steps"),
        (("Cosine", 0.1, 9), {"ends": 1}, "Cosine: expected options of end, rises, fo"),
        (("Cosine", 0.1, 9), {"base": 1}, "Cosine: expected options of end, rises, fo"),
        (
            ("Cyclic", 0.1, 9),
            {},
            r"Cyclic: expected base, up, .* pass base=\.\.\.",
        ),
        (("OneCycle", 0.1, 1), {}, "total: expected at least 2 steps"),
    ],
)
def test_what_cannot_be_made_is_refused(args, options, text):
    with pytest.raises((TypeError, ValueError), match=f"^{text}"):
        make(*args, **options)


def test_a_class_of_ones_own_has_its_modules_name():
    from test_schedules import Own

    assert make(Own._name, 0.5, 9) == Own(0.5)
    assert isinstance(make(Own._name, 0.5, 9), Schedule)


def test_optimizers_are_found_by_their_names():
    for name, entry in lrcore.optimizers.available().items():
        assert lrcore.optimizers.get(name) is entry.kind is getattr(lrcore, name)
    with pytest.raises(ValueError, match=r"^name: .* 'adamw'; did you mean AdamW"):
        lrcore.optimizers.get("adamw")
    for wrong in ("Optimizer", "get", "x" * 10**6, None, lrcore.Adam, ["Adam"]):
        with pytest.raises(
            ValueError, match=r"^name: expected one of AdaBelief, "
        ) as e:
            lrcore.optimizers.get(wrong)
        assert len(str(e.value)) <= 2048
