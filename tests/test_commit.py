"""Commits of the binding: all changes or none."""

from types import SimpleNamespace

import numpy as np
import pytest

import lrcore
from lrcore._core import Commit, Counts


def test_all_changes_are_made():
    a, b, c, d = (np.full((2, 3), k, order="F") for k in (1.0, 2.0, 3.0, 4.0))
    obj = SimpleNamespace(x=1)
    commit = Commit()
    commit.copy(a, b)
    commit.exchange(c, d)
    commit.set(obj, "x", 2)
    commit.set(obj, "y", 3)
    assert (a == 1).all()
    commit.make()
    assert [array[1, 2] for array in (a, b, c, d)] == [2, 2, 4, 3]
    assert vars(obj) == {"x": 2, "y": 3}


def test_more_than_is_exchanged_at_once():
    a, b = np.arange(5000.0), -np.arange(5000.0)
    commit = Commit()
    commit.exchange(a, b)
    commit.make()
    assert (a == -np.arange(5000.0)).all()
    assert (b == np.arange(5000.0)).all()


def read_only():
    array = np.ones(3)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("to", "of"),
    [
        (np.ones(3), np.ones(4)),
        (np.ones(3), np.ones(3, np.float32)),
        (np.ones(3), np.ones(6)[::2]),
        (np.ones((2, 3)), np.ones((2, 3), order="F")),
        (read_only(), np.ones(3)),
        (np.ones(3), np.ma.ones(3)),
        (np.ma.ones(3), np.ones(3)),
        (np.ones(3, ">f8"), np.ones(3)),
        (np.array([[]], object), np.array([[]], object)),
    ],
)
def test_a_commit_with_arrays_that_do_not_fit_changes_nothing(to, of):
    first, obj = np.zeros(3), SimpleNamespace(x=1)
    commit = Commit()
    commit.copy(first, np.ones(3))
    commit.set(obj, "x", 2)
    commit.copy(to, of)
    with pytest.raises(ValueError, match="commit: expected arrays of the same"):
        commit.make()
    assert not first.any()
    assert obj.x == 1


@pytest.mark.parametrize(
    "dtype", [bool, "S3", "m8[s]", ">f4", [("a", "u1"), ("b", "f8")]]
)
def test_an_array_with_any_strides_is_filled(dtype):
    whole = np.zeros((7, 4, 6), dtype)
    part = whole[6:0:-2, ::3, 1:5].transpose(2, 0, 1)
    values = np.arange(part.size).reshape(part.shape) % 2
    values = values.astype(dtype) if np.dtype(dtype).names is None else values
    of = np.empty(part.shape, dtype)
    of[...] = values
    commit = Commit()
    commit.copy(part, of)
    commit.make()
    assert (part == of).all()
    assert (whole == np.zeros((), dtype)).sum() == whole.size - (
        of != np.zeros((), dtype)
    ).sum()


def test_two_arrays_of_other_strides_are_not_exchanged():
    one, other = np.ones((2, 3)), np.zeros((2, 3), order="F")
    commit = Commit()
    commit.exchange(one, other)
    with pytest.raises(ValueError, match="commit: expected arrays of the same"):
        commit.make()
    assert one.all()


def test_a_function_is_called_and_called_again_if_a_later_change_fails():
    calls, obj = [], SimpleNamespace()
    commit = Commit()
    commit.call(calls.append, "new", "old")
    commit.make()
    assert calls == ["new"]
    commit = Commit()
    commit.call(calls.append, "newer", "new")
    commit.set(obj, "x", 1)
    commit.call(len, 3, ())
    with pytest.raises(TypeError):
        commit.make()
    assert calls == ["new", "newer", "new"]
    assert vars(obj) == {}


def test_an_attribute_that_cannot_be_set_takes_all_others_back():
    class Refusing:
        y = property(lambda self: 1)

    first, obj = np.zeros(3), SimpleNamespace(x=1)
    commit = Commit()
    commit.copy(first, np.ones(3))
    commit.set(obj, "x", 2)
    commit.set(obj, "x", 3)
    commit.set(obj, "new", 2)
    commit.set(Refusing(), "y", 2)
    with pytest.raises(AttributeError):
        commit.make()
    assert not first.any()
    assert vars(obj) == {"x": 1}


def test_what_was_changed_meanwhile_is_not_overwritten():
    opt = lrcore.SGD(np.ones(2), lr=1.0)
    group = opt.param_groups[0]
    commit = Commit(opt._plan.lock)
    group.change(commit, "lr", 0.5)
    group["momentum"] = 0.0
    with pytest.raises(RuntimeError, match="another thread has changed this optimizer"):
        commit.make()
    assert group["lr"] == 1.0


def test_counts_made_before_a_step_are_refused_after_it():
    opt = lrcore.SGD(np.ones(2), lr=1.0)
    commit = Commit(opt._plan.lock, unchanged=True)
    commit.give(opt._plan, counts=Counts(7, [7]))
    opt.step(np.ones(2))
    with pytest.raises(RuntimeError, match="another thread has changed this optimizer"):
        commit.make()
    assert opt.t == 1
