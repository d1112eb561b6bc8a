"""`cases`: all of them run, and one that fails is named."""

import inspect

import pytest
from cases import cases


def test_each_case_runs_once_whatever_else_is_given():
    seen = []

    @cases("a", [1, 2])
    @cases("b, c", [(3, 4), (5, 6)])
    def test(name, a, b, c):
        seen.append((name, a, b, c))

    assert [*inspect.signature(test).parameters] == ["name"]
    test(name="x")
    assert seen == [("x", a, *bc) for a in (1, 2) for bc in ((3, 4), (5, 6))]


def test_cases_of_an_argument():
    seen = []

    @cases("letter", lambda word: word.upper())
    def test(word, letter):
        seen.append((word, letter))

    test(word="ab")
    assert seen == [("ab", "A"), ("ab", "B")]


def test_a_case_that_fails_is_named():
    @cases("a", [1, 0])
    def test(a):
        assert a

    with pytest.raises(AssertionError) as caught:
        test()
    assert caught.value.__notes__ == ["in the case {'a': 0}"]


def test_what_would_leave_cases_out_fails():
    @cases("a", [1, 2])
    def skips(a):
        pytest.skip("not here")

    @cases("a", [])
    def none(a):
        pass

    for test in (skips, none):
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            test()
    with pytest.raises(AssertionError):
        cases("another", [1])(lambda a: a)
