"""A keyword that a schedule does not have is refused, with the name that was meant."""

import re
from dataclasses import InitVar, dataclass, fields

import numpy as np
import pytest
from every_schedule import ALL

import lrcore
from lrcore.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    OneCycle,
    Schedule,
    StepDecay,
    parse,
)
from lrcore.schedules._keywords import _ELSEWHERE

WRONG = {
    "Cosine: unexpected keyword 'T_max'; did you mean total?  There are base, ": (
        lambda: Cosine(0.1, T_max=100)
    ),
    "Cosine: unexpected keyword 'eta_min'; did you mean end?": (
        lambda: Cosine(0.1, total=100, eta_min=0.01)
    ),
    "Cosine: unexpected keyword 'totl'; did you mean total?": (
        lambda: Cosine(0.1, totl=100)
    ),
    "Cosine: unexpected keyword 'warmup'; write Cosine(...).warmup(steps)": (
        lambda: Cosine(0.1, total=100, warmup=10)
    ),
    "Cosine: unexpected keyword 'restarts'; there are base, total, end, rises": (
        lambda: Cosine(0.1, total=100, restarts=2)
    ),
    "OneCycle: unexpected keyword 'max_lr'; did you mean peak?": (
        lambda: OneCycle(max_lr=0.1, total=100)
    ),
    "OneCycle: unexpected keyword 'div_factor'; did you mean div?": (
        lambda: OneCycle(0.1, total=100, div_factor=10)
    ),
    "StepDecay: unexpected keyword 'step_size'; did you mean every?": (
        lambda: StepDecay(0.1, step_size=30)
    ),
    "CosineRestarts: unexpected keyword 'T_mult'; did you mean mult?": (
        lambda: CosineRestarts(0.1, every=10, T_mult=2)
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_an_unknown_keyword_is_refused_with_the_name_that_was_meant(message):
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        WRONG[message]()


@pytest.mark.parametrize("text", ["Constant(1).warmup(warmup_s=2)", "Warmup(warmup=2)"])
def test_a_warm_up_is_not_advised_to_have_one(text):
    with pytest.raises(ValueError, match=r"keyword 'warm.*'; there are steps"):
        parse(text)


@dataclass(frozen=True, repr=False)
class Halved(Schedule):
    twice: InitVar[float]
    base: float = 0.0

    def __post_init__(self, twice):
        object.__setattr__(self, "base", twice / 2)

    def _at(self, t, xp):
        return self.base + 0 * t


class Loose(Constant):
    def __init__(self, **numbers):
        super().__init__(numbers["value"])


def test_a_schedule_of_ones_own_has_the_keywords_of_its_constructor():
    assert Halved(twice=1.0)(3) == 0.5
    assert Loose(value=0.5, other=1)(3) == 0.5
    with pytest.raises(TypeError, match="'twise'; did you mean twice"):
        Halved(twise=1.0)


def test_names_of_other_libraries_lead_to_parameters_that_some_schedule_has():
    taken = {field.name for schedule in ALL for field in fields(schedule)}
    assert _ELSEWHERE.keys() <= taken


def test_a_class_in_place_of_a_schedule_is_refused():
    wanted = r"found the class Cosine; make a schedule with it: Cosine\(\.\.\.\)$"
    with pytest.raises(TypeError, match=wanted):
        lrcore.SGD(np.ones(3), lr=Cosine)


@pytest.mark.parametrize("kind", [int, dict, np.ndarray])
def test_another_class_is_not_taken_for_one_of_schedules(kind):
    with pytest.raises(TypeError, match=r"or a schedule, found <class '[a-z.]+'>$"):
        lrcore.SGD(np.ones(3), lr=kind)
