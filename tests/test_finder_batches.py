"""Where the range test takes its batches from, and what it does where they end."""

import itertools
import math

import numpy as np
import pytest
from helpers import all_same
from range_tests import BUILDS, Task, noisy_line

import lrcore
from lrcore import lr_find
from lrcore.finder._batches import Batches


@pytest.fixture
def task():
    return Task(BUILDS["averages"])


def counted(task, batches, **more):
    """Return the batches that were seen, in a test without trials."""
    seen = []

    def loss_and_grad(batch):
        seen.append(batch)
        return task.loss_and_grad(np.arange(4))

    lr_find(task.opt, loss_and_grad, batches, num=20, trial_steps=0, **more)
    return seen


@pytest.mark.parametrize("size", [1, 2])
def test_batches_of_a_row_or_two_give_a_suggestion(size):
    """Their losses differ by factors of thousands."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x, w = rng.normal(size=(400, 5)), np.zeros(5)
        y = x @ rng.normal(size=5) + 0.1 * rng.normal(size=400)

        def loss_and_grad(rows, x=x, y=y, w=w):
            error = x[rows] @ w - y[rows]
            return error @ error / 2 / size, x[rows].T @ error / size

        batches = [rng.integers(0, 400, size) for _ in range(300)]
        found = lr_find(lrcore.SGD(w), loss_and_grad, batches)
        assert 1e-3 < found.suggestion < 1


def test_a_sequence_starts_again_at_its_end(task):
    assert counted(task, [7, 8, 9]) == [7, 8, 9] * 6 + [7, 8]


def test_a_function_makes_batches_anew(task):
    assert counted(task, lambda: iter(range(12))) == [*range(12), *range(8)]


def test_an_iterator_is_used_up_as_far_as_it_was_read(task):
    batches = iter(range(50))
    assert counted(task, batches) == list(range(20))
    assert next(batches) == 20


CUT = "; the batches ended: hand in a list, or a function that returns an iterator"


def used_up(number):
    """The test of `noisy_line` by an iterator of so many batches."""
    opt, loss_and_grad, batches = noisy_line()
    return lr_find(
        opt, loss_and_grad, itertools.islice(itertools.cycle(batches), number), end=1.0
    )


@pytest.mark.parametrize("number", [100, 130, 199])
def test_a_race_without_enough_batches_is_cut(number):
    found = used_up(number)
    assert len(found.losses) == 100
    assert max(found.trial_steps) == number if number > 100 else 50
    assert found.suggestion > 0
    assert found.reason.endswith(CUT)
    with pytest.raises(ValueError, match="adopt: expected the result of a race, found"):
        found.adopt(noisy_line()[0])


def test_an_iterator_gives_no_more_batches_than_the_longest_trial_has_steps():
    opt, loss_and_grad, batches = noisy_line()
    plain = lr_find(opt, loss_and_grad, batches, end=1.0)
    found = used_up(300)
    assert "ended" not in found.reason
    np.testing.assert_array_equal(found.trial_losses, plain.trial_losses)


@pytest.mark.parametrize("number", [60, 99, 100, 160])
def test_nothing_is_blamed_on_the_rates_where_the_batches_ended(number):
    found = used_up(number)
    assert found.reason.endswith(CUT)
    assert "raise end" not in found.reason
    if number == 60:
        assert found.reason.startswith("flat: look at the gradients; no divergence")


def test_all_rates_of_the_race_see_the_same_batches():
    opt, loss_and_grad, _ = noisy_line()
    rng = np.random.default_rng(3)
    seen = {}

    def spied(rows):
        seen.setdefault(opt.lr, []).append(tuple(rows))
        return loss_and_grad(rows)

    drawn = (rng.integers(100, size=10) for _ in itertools.count())
    found = lr_find(opt, spied, drawn, end=1.0)
    longest = max(seen.values(), key=len)
    assert len(longest) == max(found.trial_steps) >= 200
    for lr, steps in zip(found.trial_lrs, found.trial_steps, strict=True):
        assert seen[lr] == longest[:steps]


def test_a_micro_batch_that_nobody_asked_for_keeps_its_number():
    """Where the first of two has a NaN the second is left out, also at a leg's end."""
    source = Batches(iter(range(20)))
    source.begin()
    assert [source.at(k) for k in range(9)] == [*range(9)]
    source.drop(10)
    assert [source.at(k) for k in (10, 11)] == [10, 11]
    source.drop(11)
    assert [source.at(k) for k in (11, 12)] == [11, 12]


def test_a_source_that_refills_its_arrays_gives_the_same():
    def found(refills):
        opt, loss_and_grad, _ = noisy_line()
        rng, own = np.random.default_rng(3), np.zeros(10, int)

        def source():
            while True:
                drawn = rng.integers(100, size=10)
                own[:] = drawn
                yield (own if refills else drawn,)

        return lr_find(opt, lambda batch: loss_and_grad(batch[0]), source(), end=1.0)

    fresh, refilled = found(False), found(True)
    np.testing.assert_array_equal(refilled.losses, fresh.losses)
    np.testing.assert_array_equal(refilled.trial_losses, fresh.trial_losses)


def test_an_iterator_that_ends_ends_the_test(task):
    before = task.everything()
    found = lr_find(task.opt, task.loss_and_grad, iter(task.batches()))
    assert len(found.losses) == 8
    assert found.reason.startswith("too few points (8)")
    assert found.reason.endswith(CUT)
    assert math.isnan(found.suggestion)
    after = task.everything()
    assert all_same(before[0], after[0])
    assert after[1]["t"] == 0


def assert_same_position(loader, task):
    assert counted(task, loader) == list(range(3, 23))
    assert next(loader) == 3


class Loader:
    """An iterator that can be put back, as torchdata's."""

    def __init__(self):
        self.at = 3

    def __iter__(self):
        return self

    def __next__(self):
        self.at += 1
        return self.at - 1

    def state_dict(self):
        return {"at": self.at}

    def load_state_dict(self, saved):
        self.at = saved["at"]


class LentLoader(Loader):
    """One that hands out its state itself, and takes over what it is given."""

    def __init__(self):
        self.own = {"at": 3}

    def __next__(self):
        self.own["at"] += 1
        return self.own["at"] - 1

    def state_dict(self):
        return self.own

    def load_state_dict(self, saved):
        self.own = saved


@pytest.mark.parametrize("kind", [Loader, LentLoader])
def test_a_loader_with_a_state_is_put_back(task, kind):
    assert_same_position(kind(), task)


class Items:
    """A sequence by its items alone, as torch's data sets."""

    def __len__(self):
        return 3

    def __getitem__(self, k):
        return [7, 8, 9][k]


def test_a_sequence_need_not_have_an_iterator(task):
    assert counted(task, Items()) == [7, 8, 9] * 6 + [7, 8]
    assert counted(task, Items) == [7, 8, 9] * 6 + [7, 8]
