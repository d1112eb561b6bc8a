"""Fixtures of the whole suite."""

import numpy as np
import pytest

import lrcore


@pytest.fixture(scope="session", autouse=True)
def names_for_doctests(doctest_namespace):
    """Let examples say np and lrcore, as their readers would."""
    doctest_namespace["lrcore"] = lrcore
    doctest_namespace["np"] = np
