"""The words of messages: values, kinds and lists are shown short."""

import numpy as np
import pytest
from wrong import LONG

from lrcore import _words


def test_a_long_text_loses_its_middle():
    assert _words.shortened("a" * _words.MOST) == "a" * _words.MOST
    short = _words.shortened("begin" + "." * 10**6 + "end")
    assert len(short) <= _words.MOST
    assert (short[:5], short[-3:]) == ("begin", "end")
    assert " ... " in short


SHOWN = [
    (1.5, "1.5"),
    ("it's", '"it\'s"'),
    ((1,), "(1,)"),
    ({"b": 1, "a": [2, None]}, "{'b': 1, 'a': [2, None]}"),
    ({}, "{}"),
    (np.float32(0.5), repr(np.float32(0.5))),
    ([[[[1]]]], "[[[[...]]]]"),
    (10**5000, "<int>"),
    ([10**5000], "<list>"),
]


def test_what_is_shown():
    for value, wanted in SHOWN:
        assert _words.shown(value) == wanted


@pytest.mark.parametrize("name", LONG)
def test_whatever_is_shown_is_short(name):
    assert 0 < len(_words.shown(LONG[name])) <= _words.MOST
    assert 0 < len(_words.kind(LONG[name])) <= _words.MOST


def test_a_large_container_is_not_looked_at_as_a_whole():
    looks = []

    class Counted:
        def __repr__(self):
            looks.append(self)
            return "c"

    for container in ([Counted()] * 10**5, dict.fromkeys(range(10**5), Counted())):
        looks.clear()
        _words.shown(container)
        assert len(looks) < 100


def test_a_list_says_how_many_more_there_are():
    assert _words.listed([]) == ""
    assert _words.listed(["a", 1]) == "'a', 1"
    words = _words.listed(range(16_000)).split(", ")
    assert words[:3] == ["0", "1", "2"]
    assert words[-1] == f"... and {16_000 - len(words) + 1} more"
    assert len(_words.listed(["x" * 10**6] * 10**4)) < 600
    assert _words.listed([0.25, 0.5], lambda x: f"{x:.1f}") == "0.2, 0.5"
