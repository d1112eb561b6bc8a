"""What a monitor keeps of validation losses: which one is worth a look."""

from math import inf, nan

import pytest

from lrcore.monitor._validated import Validated


def after(*losses):
    seen = Validated()
    for loss in losses:
        seen = seen.followed_by(loss)
    return seen


def test_a_loss_is_suspect_from_the_third_after_the_best_on():
    """If it is above it by a fifth of the descent, which is 0.2 here."""
    assert [after(2.0, 1.0, *[1.3] * n).suspect for n in range(5)] == [
        False, False, False, True, True,
    ]  # fmt: skip
    assert not after(2.0, 1.0, 1.3, 1.3, 1.19).suspect


def test_one_as_low_as_the_best_is_a_best_one():
    assert after(2.0, 1.0, 1.5, 1.5, 1.0) == Validated(2.0, 1.0)


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_one_that_is_not_finite_tells_nothing(bad):
    assert repr(after(bad)) == repr(after())
    suspect = after(2.0, 1.0, 1.5, 1.5, 1.5)
    assert after(2.0, 1.0, 1.5, 1.5, 1.5, bad) == suspect._replace(suspect=False)
    assert after(2.0, 1.0, 1.5, 1.5, bad, 1.5) == suspect
