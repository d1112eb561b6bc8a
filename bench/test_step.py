"""The bare step, over sizes, arrays, dtypes, threads and rules."""

import pytest

import lrcore

SIZES = [10**k for k in range(2, 8)]


@pytest.mark.parametrize("elements", SIZES, ids="{:_}".format)
def test_size(time_step, elements):
    time_step("step: AdamW float32, one array, by elements", "AdamW", elements)


@pytest.mark.parametrize("arrays", [1, 10, 100, 1000], ids="{:_}".format)
@pytest.mark.parametrize("elements", [10**4, 10**6], ids="{:_}".format)
def test_arrays(time_step, elements, arrays):
    group = f"step: AdamW float32, {elements:,} elements, by arrays"
    time_step(group, "AdamW", elements, arrays)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("elements", [10**3, 10**6], ids="{:_}".format)
def test_dtype(time_step, elements, dtype):
    group = f"step: AdamW, {elements:,} elements, by dtype"
    time_step(group, "AdamW", elements, dtype=dtype)


@pytest.mark.parametrize("threads", [1, None], ids=["one", "default"])
@pytest.mark.parametrize("elements", [10**5, 10**6], ids="{:_}".format)
def test_threads(time_step, elements, threads):
    group = f"step: AdamW float32, {elements:,} elements, by threads"
    time_step(group, "AdamW", elements, num_threads=threads)


@pytest.mark.parametrize("elements", [10**3, 10**6], ids="{:_}".format)
@pytest.mark.parametrize("optimizer", lrcore.optimizers.available())
def test_optimizer(time_step, optimizer, elements):
    group = f"step: every optimizer, {elements:,} float32 in one array"
    time_step(group, optimizer, elements)


@pytest.mark.parametrize(
    ("elements", "arrays"),
    [(400_000, 200), (10**6, 1), (3 * 10**7, 1)],
    ids="{:_}".format,
)
@pytest.mark.parametrize("optimizer", ["Adam", "Adafactor", "SM3"])
def test_rows_and_columns(time_step, optimizer, elements, arrays):
    group = f"step: by rows and columns, {elements:,} float32 in {arrays} arrays"
    time_step(group, optimizer, elements, arrays)
