"""What holds for all tests of this folder."""

import gc

import pytest

import lrcore

# Modules of helpers whose assertions show what they compare, as those of tests do.
pytest.register_assert_rewrite(
    "c_plans", "composed", "helpers", "mixtures", "pages", "patterns", "range_tests",
    "ranks", "threaded", "watching",
)  # fmt: skip


def pytest_collection_finish():
    """Keep the garbage collector from looking at thousands of collected tests.

    A full collection takes a millisecond then, not a second.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def restore():
    """Set back the instruction set and the number of threads after the test."""
    held = lrcore.get_isa()
    yield
    lrcore.set_isa(held)
    lrcore.set_num_threads(None)


@pytest.fixture
def no_pause(monkeypatch):
    """Let the clock of `lrcore bench` begin before the processor has settled."""
    monkeypatch.setattr("lrcore.bench.clock.SETTLE", 0.0)
