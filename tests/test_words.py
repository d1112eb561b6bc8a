"""The words of messages: values, kinds and lists are shown short."""

import numpy as np
import pytest
from wrong import LONG

from lrcore._shared import words


def test_a_long_text_loses_its_middle():
    assert words.shortened("a" * words.MOST) == "a" * words.MOST
    short = words.shortened("begin" + "." * 10**6 + "end")
    assert len(short) <= words.MOST
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
        assert words.shown(value) == wanted


@pytest.mark.parametrize(("columns", "widest"), [(80, 80), (40, 40), (300, 88)])
def test_lines_are_as_wide_as_the_terminal(monkeypatch, columns, widest):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = words.filled("word " * 100).splitlines()
    assert widest - 5 < max(map(len, lines)) <= widest


@pytest.mark.parametrize("name", LONG)
def test_whatever_is_shown_is_short(name):
    assert 0 < len(words.shown(LONG[name])) <= words.MOST
    assert 0 < len(words.kind(LONG[name])) <= words.MOST


def test_a_large_container_is_not_looked_at_as_a_whole():
    looks = []

    class Counted:
        def __repr__(self):
            looks.append(self)
            return "c"

    for container in ([Counted()] * 10**5, dict.fromkeys(range(10**5), Counted())):
        looks.clear()
        words.shown(container)
        assert len(looks) < 100


def test_a_list_says_how_many_more_there_are():
    assert words.listed([]) == ""
    assert words.listed(["a", 1]) == "'a', 1"
    many = words.listed(range(16_000)).split(", ")
    assert many[:3] == ["0", "1", "2"]
    assert many[-1] == f"... and {16_000 - len(many) + 1} more"
    assert len(words.listed(["x" * 10**6] * 10**4)) < 600
    assert words.listed([0.25, 0.5], lambda x: f"{x:.1f}") == "0.2, 0.5"
