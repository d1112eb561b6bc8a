"""Bits that do not depend on the version of Python: sums, and tests/hashes.py."""

import math

import hashes
import numpy as np
import pytest

from lrcore._shared.sums import in_order
from lrcore.optimizers.base import mechanic
from lrcore.schedules import Constant

pytestmark = pytest.mark.isa

# Each 1e-16 is lost beside 1; all together are not.
LOST = [1.0, 1e-16, 1e-16, 1e-16, 1e-16, 1e-16]


def test_a_sum_is_rounded_after_each_addition():
    assert in_order(LOST) == 1.0 != math.fsum(LOST)
    assert in_order(reversed(LOST)) == 5e-16 + 1.0 > 1.0
    assert in_order([]) == 0.0
    assert in_order([np.ones(2), np.ones(2)], np.ones(2)).tolist() == [3.0, 3.0]


def test_mechanics_numbers_are_such_sums():
    hyper = {"mechanic_s_init": 0.5, "mechanic_decay": 0.25}
    carried = np.array([LOST, [0.5] * 6, [2.0] * 6, [3.0] * 6])
    tune = mechanic.fold(hyper)
    rows, (keep, before, now) = tune(carried, (0.75, 4.0, 9.0, 0.5))
    assert (keep, before) == (1.0 / (1.0 + mechanic.EPS), 1.0)
    by_hand = 0.0
    for s in np.frombuffer(rows)[:6]:
        by_hand += s
    assert now == by_hand


def test_a_sum_of_schedules_is_one():
    first, *others = map(Constant, LOST)
    total = first
    for other in others:
        total = total + other
    assert total(0) == 1.0
    assert (total(np.arange(3)) == 1.0).all()


def test_the_inputs_of_the_hashes_are_the_same_everywhere():
    found = hashes.integers(1234567)
    assert next(found) == 6457827717110365317  # as of the published algorithm
    assert next(found) == 3203168211198807973
    single, double = (
        hashes.numbers(1, (50,), dtype).tolist() for dtype in ("float32", "float64")
    )
    assert single == double
    assert double[0] == 1 + next(hashes.integers(1)) // 2**41 / 2**23
    assert min(map(abs, double)) >= 1 > -1 > min(double)


def test_the_hashes_are_of_all_optimizers_but_muon():
    lines = dict(hashes.optimizers()) | dict(hashes.others())
    names = {label.split("-")[0].split(" ")[0] for label in lines}
    kinds = set(hashes.lrcore.optimizers.available())
    assert kinds - {"Muon"} <= names
    assert "Muon" not in names
    assert lines == dict(hashes.optimizers()) | dict(hashes.others())
    # A few differ in options that the rest of their arguments cancel.
    assert len(set(lines.values())) > 0.9 * len(lines)
