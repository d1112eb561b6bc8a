"""Results of `lrcore bench` in a file, and two of them compared."""

import pytest
from timed import CASE, MACHINE, cells, told

from lrcore.bench import comparison, saved
from lrcore.bench.cases import Divider
from lrcore.bench.clock import Calls, Timing


def test_json_round_trip():
    found = told({"lrcore": (3, 2, 4), "x": 5}, CASE, {"y": "why"}, big="too big")
    assert saved.from_json(saved.to_json(found)) == found
    beside = told({"lrcore": 5}, CASE._replace(neighbours="spin:1"))
    (result,) = beside.results
    times = {"lrcore": Timing(1, 2, 3, Calls(4, 5, 6, 7))}
    found = beside._replace(
        results=[result._replace(times=times, beside="a loop")],
        dividers={"float32": Divider(1e-9, 2e-9)},
    )
    assert saved.from_json(saved.to_json(found)) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "expected a file that `lrcore bench --json` wrote"),
        ("[]", "expected a file that `lrcore bench --json` wrote"),
        ('{"lrcore bench": 99}', "expected layout 1, found 99"),
        ('{"lrcore bench": 1}', "found one without 'machine'"),
    ],
)
def test_a_file_of_another_kind_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        saved.from_json(text)


def test_a_change_is_marked_and_noise_is_not():
    old = told({"a": (100, 98, 102), "b": (100, 98, 102), "c": 100, "d": (9, 8, 10)})
    new = told({"a": (90, 89, 91), "b": (103, 101, 105), "c": 101.9, "e": 1})
    text = comparison.compare(old, new)
    assert cells(text, "a")[-2:] == ["0.90", "faster"]
    assert cells(text, "b")[-1] == "1.03"  # within the interquartile ranges
    assert cells(text, "c")[-1] == "1.02"  # less than 2 %
    assert cells(text, "e") == ["1.00", "us"]
    assert cells(comparison.compare(new, old), "a")[-1] == "slower"
    other = new._replace(machine={**MACHINE, "processor": "Fingers"})
    assert "old: Abacus" in comparison.compare(old, other)
    assert "not in the old run" in comparison.compare(old._replace(results=[]), new)
