"""The values that arguments can have: ends, types, and what errors say."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest

from lrcore._shared import domains
from lrcore._shared.domains import (
    AXES,
    FLAG,
    FRACTION,
    NONNEGATIVE,
    POSITIVE,
    Reals,
    choice,
    count,
    steps,
)

REALS = [d for d in vars(domains).values() if isinstance(d, Reals)]


@pytest.mark.parametrize("domain", REALS, ids=lambda d: d.text)
def test_floats_between_the_ends_are_in_the_domain_and_no_others(domain):
    within = [domain.least, domain.most]
    without = [math.nan, -math.inf]
    if domain.least > -math.inf:
        without.append(math.nextafter(domain.least, -math.inf))
    if domain.most < math.inf:
        without.append(math.nextafter(domain.most, math.inf))
    for value in within:
        assert domain.check("x", value) == value
        assert domain.check("x", np.float64(value)) == value
        assert type(domain.check("x", np.array(value))) is float
    for value in without:
        said = re.escape(f"x: expected {domain.text}, found {value!r}")
        with pytest.raises(ValueError, match=f"^{said}$"):
            domain.check("x", value)


def test_the_ends_are_what_the_texts_say():
    """An end with a bracket, or an "=", is in the domain; the others are not."""
    for domain in REALS:
        for end, has in ((0.0, "[0"), (0.0, "= 0"), (1.0, "1]"), (1.0, "= 1")):
            if has in domain.text:
                assert domain.check("x", end) == end
        for end, lacks in ((0.0, "(0"), (0.0, "> 0"), (1.0, "1)"), (1.0, "> 1")):
            if lacks in domain.text:
                with pytest.raises(ValueError, match="x: expected"):
                    domain.check("x", end)


@pytest.mark.parametrize("value", ["1", b"1", True, np.True_, None, 1j, [1], float])
def test_what_is_no_number_is_a_type_error(value):
    for domain in (POSITIVE, count(1), steps(1)):
        with pytest.raises(TypeError, match=r"^x: expected .*, found "):
            domain.check("x", value)


def test_numbers_become_pythons_own():
    for value in (1, Fraction(1), np.float32(1), np.int8(1), np.array(1)):
        found = POSITIVE.check("x", value)
        assert (type(found), found) == (float, 1.0)
    for value in (3, np.int8(3), np.array(3)):
        found = count(3).check("x", value)
        assert (type(found), found) == (int, 3)
    with pytest.raises(ValueError, match=r"^x: expected an int >= 3, found 2$"):
        count(3).check("x", 2)
    with pytest.raises(ValueError, match=r"^x: expected a finite number > 0, found 1"):
        POSITIVE.check("x", 10**400)


def test_steps_can_be_counted_by_floats():
    assert steps(1).check("x", 2**53) == 2**53
    with pytest.raises(ValueError, match=r"^x: expected at most 2\^53 steps, found"):
        steps(1).check("x", 2**53 + 1)


def test_flags():
    assert FLAG.check("x", np.True_) is True
    for value in (1, 0.0, "yes", None, np.array([True, False])):
        with pytest.raises(TypeError, match=r"^x: expected True or False, found "):
            FLAG.check("x", value)


def test_choices_are_of_their_own_type():
    assert choice("a", "b").check("x", np.str_("b")) == "b"
    assert type(choice(0, 1).check("x", np.int64(1))) is int
    for value in (True, 1.0, "1", None, np.array([1, 0]), []):
        for domain in (choice("a", "b"), choice(0, 1)):
            with pytest.raises(ValueError, match=r"^x: expected one of .*, found "):
                domain.check("x", value)
    assert choice("a", "b").kind == '{"a", "b"}'


def test_axes():
    for value in (1, [1], (np.int8(1),)):
        assert AXES.check("x", value) == (1,)
    for value in ((), (0.5,), None, "0"):
        with pytest.raises(TypeError, match=r"^x: expected an int or a tuple of them"):
            AXES.check("x", value)


def test_none_and_schedules_where_they_are_taken():
    maybe = FRACTION.or_none()
    assert maybe.check("x", None) is None
    assert maybe.check("x", 0.5) == 0.5
    with pytest.raises(ValueError, match=r"^x: expected a number in \[0, 1\) or None"):
        maybe.check("x", 1.0)
    with pytest.raises(TypeError, match="found None"):
        FRACTION.check("x", None)
    assert NONNEGATIVE.or_schedule("x", math.exp) is math.exp
    assert NONNEGATIVE.or_schedule("x", 1) == 1.0
    with pytest.raises(TypeError, match=r"^x: .* >= 0, or a schedule, found <class"):
        NONNEGATIVE.or_schedule("x", float)
    with pytest.raises(TypeError, match=r"^x: expected a finite number >= 0, found <b"):
        NONNEGATIVE.check("x", math.exp)
