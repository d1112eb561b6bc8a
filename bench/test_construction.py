"""The construction of optimizers of many small arrays."""

import numpy as np
import pytest

import lrcore


@pytest.mark.parametrize("arrays", [1, 1000, 100_000], ids="{:_}".format)
@pytest.mark.parametrize("optimizer", ["SGD", "AdamW", "LAMB"])
def test_arrays(benchmark, optimizer, arrays):
    benchmark.group = f"construction: {arrays:,} arrays of 100 float32"
    params = [np.ones(100, np.float32) for _ in range(arrays)]
    benchmark(getattr(lrcore, optimizer), params)
