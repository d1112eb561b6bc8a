"""What the benchmarks share: steps, and the bytes that they move."""

import numpy as np
import pytest

import lrcore
from lrcore.bench.peers import moved, settings


@pytest.fixture
def time_step(benchmark):
    """time_step(group, optimizer, ...): time a step, of arrays of the same size.

    The bytes that a bare step of this optimizer moves, an element, are kept with the
    times.
    """

    def run(group, optimizer, elements, arrays=1, dtype="float32", **options):
        benchmark.group = group
        each = elements // arrays
        shape = (each // 1000, 1000) if each % 1000 == 0 else (each,)
        params = [np.ones(shape, dtype) for _ in range(arrays)]
        grads = [np.full(shape, 1e-3, dtype) for _ in range(arrays)]
        kind = getattr(lrcore, optimizer)
        opt = kind(params, **{**settings(optimizer), **options})
        benchmark.extra_info["bytes"] = moved(params, opt.state) / elements
        benchmark(opt.step, grads, 1.0)

    return run
