"""Arrays of lrcore.h that overlap."""

import random
import re

import numpy as np
from c_plans import OK, REFUSED, TAKEN, Plan, contents, two_tensors


def test_a_tensor_that_overlaps_is_not_added():
    plan, a = two_tensors(), np.zeros(12)
    before = contents(plan)
    m, v = plan.states
    for wrong, text in (
        ((a[:4], a[2:6], a[4:8], a[8:]), "g of tensor 2: overlaps p of tensor 2"),
        (
            (a[:4], a[8:], a[3:7], a[8:]),
            r"states\[0\] of tensor 2: overlaps p of tensor 2",
        ),
        (
            (m[0], a[8:], a[:4], a[4:8]),
            r"p of tensor 2: overlaps states\[0\] of tensor 0",
        ),
        ((a[:4], plan.p[1], a[4:8], a[8:]), "g of tensor 2: overlaps p of tensor 1"),
        ((a[:4], a[:4], a[4:8], v[0]), "g of tensor 2: overlaps p of tensor 2"),
    ):
        assert plan.tensor(0, *wrong) == REFUSED
        assert re.match(text, plan.text), plan.text
    after = contents(plan)
    assert before[:2] == after[:2]
    np.testing.assert_array_equal(before[2], after[2])
    assert plan.tensor(0, a[:4], np.ones(4), a[4:8], a[8:]) == 2
    assert plan.step() == TAKEN
    assert (a[:4] < 0).all()


def test_each_overlap_is_found_in_whatever_order_arrays_are_added():
    rng = random.Random(2)
    for _ in range(20):
        plan, p = Plan(), np.zeros(40)
        group, free, n_free = plan.group("sgd", lr=1), np.ones(40, bool), 0
        for n in range(60):
            begin = rng.randrange(40)
            mine = slice(begin, begin + rng.randrange(1, 4))
            result = plan.tensor(group, p[mine], np.ones(p[mine].size))
            assert result == (n_free if free[mine].all() else REFUSED), n
            if result >= 0:
                free[mine] = False
                n_free += 1
        assert plan.step() == TAKEN
        np.testing.assert_array_equal(p, np.where(free, 0, -1.0))


def test_a_plan_is_repaired_by_other_addresses():
    """Gradients and averages, which change, are looked at before a step."""
    p = np.ones((2, 4))
    plan = Plan()
    group = plan.group("sgd", lr=0.5)
    plan.tensor(group, p[0], np.ones(4))
    assert plan.tensor(group, p[1], np.ones(4)) == 1
    assert plan.set_average(0, p[1]) == OK
    assert plan.step() == REFUSED
    assert "the average of tensor 0" in plan.text
    assert plan.set_average(0, None) == OK
    assert plan.set_gradient(1, p[0]) == OK
    assert plan.step() == REFUSED
    assert plan.text.startswith("g of tensor 1: overlaps p of tensor 0")
    assert plan.set_gradient(1, g := np.ones(4)) == OK
    assert plan.step() == TAKEN
    assert (p == 0.5).all()
    assert (g == 1).all()


def test_gradients_may_overlap_unless_they_are_zeroed():
    p, g = np.ones((2, 4)), np.ones(6)
    plan = Plan()
    group = plan.group("sgd", lr=0.5)
    plan.tensor(group, p[0], g[:4])
    plan.tensor(group, p[1], g[2:])
    assert plan.step() == TAKEN
    assert (p == 0.5).all()
    assert plan.set_option("zero_grads", 1) == OK
    assert plan.step() == REFUSED
    assert plan.text.startswith("g of tensor 1: overlaps g of tensor 0; give each")
    assert (p == 0.5).all()
    assert plan.set_option("zero_grads", 0) == OK
    assert plan.step() == TAKEN
    assert plan.set_gradient(0, p[1]) == REFUSED
    assert plan.text.startswith("g of tensor 0: overlaps p of tensor 1")
    assert plan.step() == TAKEN


def test_a_gradient_that_is_set_may_not_be_anothers_if_they_are_zeroed():
    p, g = np.ones((2, 4)), np.ones((2, 4))
    plan = Plan()
    group = plan.group("sgd", lr=0.5)
    for k in range(2):
        plan.tensor(group, p[k], g[k])
    assert plan.set_option("zero_grads", 1) == OK
    assert plan.prepare() == OK
    assert plan.set_gradient(1, g[0]) == OK
    assert plan.step() == REFUSED
    assert plan.text.startswith("g of tensor ")
    assert (p == 1).all()
    assert (g == 1).all()
    assert plan.set_gradient(1, g[1]) == OK
    assert plan.step() == TAKEN
    assert (p == 0.5).all()
