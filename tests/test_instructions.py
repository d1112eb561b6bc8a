"""The comparison of instruction counts; CI runs the count itself."""

import importlib.util
import json
from pathlib import Path

import pytest

from lrcore import _core

FOLDER = Path(__file__).parents[1] / "bench" / "instructions"
BY = {"extension": {"compiler": "GCC 12"}, "all": {"compiler": "GCC 12", "NumPy": "2"}}


@pytest.fixture
def check(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    spec = importlib.util.spec_from_file_location("check", FOLDER / "check.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def counts(**calls):
    return {
        name: {"extension": extension, "all": total}
        for name, (extension, total) in calls.items()
    }


OLD = {"made by": BY, "calls": counts(a=(1000, 2000), b=(1000, 2000))}


def test_a_change_of_more_than_three_per_cent_is_found(check):
    same = counts(a=(1030, 2000), b=(1000, 1940))
    assert check.compare(OLD, same, BY)[1:] == ([], [])
    more = counts(a=(1031, 2000), b=(1000, 1939))
    lines, changed, incomparable = check.compare(OLD, more, BY)
    assert changed == [("a", "extension"), ("b", "all")]
    assert incomparable == []
    (one, two) = [line.split() for line in lines if "CHANGED" in line]
    assert one == ["a", "1000", "1031", "+3.10%", "CHANGED"]
    assert two == ["b", "2000", "1939", "-3.05%", "CHANGED"]


def test_a_new_call_is_a_change(check):
    new = counts(a=(1000, 2000), b=(1000, 2000), c=(5, 6))
    assert check.compare(OLD, new, BY)[1] == [("c", "extension"), ("c", "all")]


@pytest.mark.parametrize(
    ("by", "kinds", "line"),
    [
        (
            {**BY, "all": {"compiler": "GCC 12", "NumPy": "3"}},
            ["all"],
            "instructions in all: not compared (NumPy: 3, not 2)",
        ),
        (
            {kind: {**of, "compiler": "GCC 14"} for kind, of in BY.items()},
            ["extension", "all"],
            "instructions in all: not compared (compiler: GCC 14, not GCC 12)",
        ),
    ],
)
def test_what_depends_on_other_versions_is_not_compared(check, by, kinds, line):
    new = counts(a=(9, 9), b=(1000, 9))
    lines, changed, incomparable = check.compare(OLD, new, by)
    assert line in lines
    assert {kind for _, kind in incomparable} == set(kinds)
    assert changed == ([] if len(kinds) == 2 else [("a", "extension")])


def test_only_what_changed_is_written_with_its_reason(check):
    """Small changes leave the old count, so that they add up."""
    old = {**OLD, "calls": {**OLD["calls"], "gone": {"extension": 1, "all": 1}}}
    new = counts(a=(1031, 2001), b=(1029, 2001))
    _, changed, _ = check.compare(old, new, BY)
    assert check.renewed(old, new, changed, "why") == {
        "a": {"extension": 1031, "all": 2000, "reason": "why"},
        "b": {"extension": 1000, "all": 2000},
    }


def test_instructions_are_counted_by_the_file_that_has_them(check):
    dump = f"""
ob=/usr/lib/libpython3.so
fn=step
0 5
cob={_core.__file__}
cfn=lrc_step
calls=1 0
0 1000
0 2

ob={_core.__file__}
fn=lrc_step
0 700
cfn=kernel
calls=3 0
0 290
fn=kernel
0 290
"""
    assert check.counted(dump) == {"extension": 990, "all": 997}


def test_every_call_has_counts_and_a_reason(check):
    found = json.loads(check.COUNTS.read_text())
    assert found["made by"].keys() == check.KINDS.keys()
    names = check.calls().keys()
    assert found["calls"].keys() == names
    assert len(names) == 10
    for call in found["calls"].values():
        assert 0 <= call["extension"] <= call["all"]
        assert call["all"] > 0
        assert call["reason"]
