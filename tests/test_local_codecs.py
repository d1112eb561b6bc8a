"""Codecs of `LocalSGD`, and the mean over ranks that uses them."""

import numpy as np
import pytest
from cases import cases
from ranks import ranks

from lrcore.local_training import BFloat16, Codec, Int8
from lrcore.local_training._codecs import BLOCK, chosen
from lrcore.local_training._mean import Mean

CODECS = [None, "bf16", "int8"]
DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]
SIZES = [0, 1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5]


def numbers(n, dtype, seed=0):
    rng = np.random.default_rng([n, seed])
    return (rng.normal(size=n) * 10.0 ** rng.integers(-6, 7, n)).astype(dtype)


@cases("dtype", DTYPES)
@cases("n", SIZES)
@pytest.mark.parametrize("codec", CODECS)
def test_a_vector_there_and_back(codec, n, dtype):
    codec, x = chosen(codec), numbers(n, dtype)
    assert isinstance(codec, Codec)
    encoded = codec.encode(x)
    assert (encoded.dtype, encoded.size) == (np.uint8, codec.n_bytes(n, dtype))
    back = codec.decode(encoded, n, dtype)
    assert (back.dtype, back.shape) == (dtype, x.shape)
    if isinstance(codec, BFloat16):
        assert (np.abs(back - x) <= 2.0**-8 * np.abs(x)).all()
    elif isinstance(codec, Int8):
        for at in range(0, n, BLOCK):
            part = slice(at, at + BLOCK)
            # Half a level, and what float32 rounds.
            most = np.abs(x[part]).max() / 254 * (1 + 1e-4)
            assert np.abs(back - x)[part].max() <= most
    else:
        assert back.tobytes() == x.tobytes()


def test_bfloat16_is_rounded_to_the_nearest_even():
    step = 2.0**-7  # between bfloat16 from 1 to 2
    x = 1 + step * np.array([0.25, 0.5, 0.75, 1.5, 2.5], np.float32)
    back = BFloat16().decode(BFloat16().encode(x), 5, x.dtype)
    assert ((back - 1) / step).tolist() == [0, 0, 1, 2, 2]


@pytest.mark.parametrize("codec", [BFloat16(), Int8()])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_numbers_at_the_ends_of_the_range(codec, dtype):
    most, least = float(np.finfo(dtype).max), float(np.finfo(dtype).smallest_subnormal)
    inexact = 190 * 2.0**-149  # the scale of Int8 is 1.5 subnormals, rounded
    for x in (
        [most, -most], [least, -least, 0.0], [0.0, 0.0], [1e-39, -1.2e-39],
        [inexact, -inexact],
    ):  # fmt: skip
        x = np.array(x, dtype)
        back = codec.decode(codec.encode(x), x.size, dtype)
        assert np.isfinite(back).all()
        assert (np.sign(back) * np.sign(x) >= 0).all()


def test_what_is_no_codec():
    with pytest.raises(ValueError, match="codec: expected None, 'bf16', 'int8' or"):
        chosen("fp4")
    for wrong in (8, BFloat16):
        with pytest.raises(TypeError, match="n_bytes, encode and decode, found"):
            chosen(wrong)


# --- the mean -------------------------------------------------------------------------


def means(comm, codec, n, dtype, included, times):
    """Return means of other vectors each time, and the bytes sent."""
    mean = Mean(comm, chosen(codec), n, dtype)
    found = []
    for k in range(times):
        found.append(mean.mean(numbers(n, dtype, 10 * k + comm.rank), included))
        mean.keep()
    return found, mean.sent_bytes, comm.sent_bytes


@pytest.mark.parametrize("n_ranks", [1, 2, 3, 4])
@pytest.mark.parametrize("codec", CODECS)
def test_all_ranks_have_the_same_bits(codec, n_ranks):
    def of_all_sizes(comm):
        included = [True] * n_ranks
        each = (means(comm, codec, n, DTYPES[0], included, 2)[0] for n in SIZES)
        return [mean.tobytes() for found in each for mean in found]

    first, *others = ranks(n_ranks, of_all_sizes)
    assert len(first) == 2 * len(SIZES)
    assert all(other == first for other in others)


@pytest.mark.parametrize("included", [(1, 1, 1), (1, 0, 1), (0, 1, 0)])
def test_the_mean_is_added_in_the_order_of_ranks(included):
    included = [bool(each) for each in included]
    found = ranks(3, means, None, 999, DTYPES[0], included, 1)
    total = np.zeros(999)
    for r in range(3):
        if included[r]:
            total += numbers(999, DTYPES[0], r)
    wanted = (total / sum(included)).astype(np.float32)
    assert found[0][0][0].tobytes() == wanted.tobytes()


@pytest.mark.parametrize("codec", CODECS)
def test_bytes_are_those_of_a_ring(codec):
    n = 4 * BLOCK * 5
    for _, own, by_comm in ranks(4, means, codec, n, DTYPES[0], [True] * 4, 3):
        vector = chosen(codec).n_bytes(n, DTYPES[0])
        assert own == by_comm == 3 * 2 * vector * 3 // 4


@pytest.mark.parametrize("codec", ["bf16", "int8"])
def test_the_sum_of_means_makes_up_for_the_rounding(codec):
    """With error feedback, the error of a sum does not grow with its terms."""

    def sums(comm):
        x = np.linspace(-1, 1, 600) + comm.rank
        mean = Mean(comm, chosen(codec), 600, DTYPES[1])
        total, without, worst = np.zeros(600), np.zeros(600), []
        for k in range(1, 201):
            without += mean.codec.decode(mean.codec.encode(x), 600, DTYPES[1])
            total += mean.mean(x, [True, True])
            mean.keep()
            worst.append(np.abs(total - k * (np.linspace(-1, 1, 600) + 0.5)).max())
        return worst, np.abs(without - 200 * x).max()

    worst, without = ranks(2, sums)[1]
    # e of both halves is bounded: at most one rounding each of numbers up to 2.
    assert max(worst) <= 2 * 2 * 2.0**-7
    assert without > 10 * max(worst)


def test_a_mean_that_is_not_kept_changes_nothing():
    def twice(comm):
        mean = Mean(comm, chosen("int8"), 300, DTYPES[0])
        x = numbers(300, DTYPES[0])
        first = mean.mean(x, [True])
        again = mean.mean(x, [True])
        mean.keep()
        return first.tobytes(), again.tobytes(), mean.mean(x, [True]).tobytes()

    first, again, after = ranks(1, twice)[0]
    assert first == again != after


def test_a_rank_that_is_left_out_keeps_its_error():
    def left_out(comm):
        mean = Mean(comm, chosen("int8"), 300, DTYPES[0])
        mean.mean(numbers(300, DTYPES[0], comm.rank), [True, True])
        mean.keep()
        before = mean.error.copy()
        mean.mean(numbers(300, DTYPES[0], 7), [True, False])
        mean.keep()
        return before.any(), before.tobytes() == mean.error.tobytes()

    assert ranks(2, left_out) == [(True, False), (True, True)]


def test_a_vector_that_was_sent_leaves_the_error_of_a_mean():
    """As where the answer to it was lost."""

    def both(comm):
        x, errors = numbers(300, DTYPES[0]), []
        for lost in (False, True):
            mean = Mean(comm, chosen("int8"), 300, DTYPES[0])
            if lost:
                mean.sent(x)
            else:
                mean.mean(x, [True])
            mean.keep()
            errors.append(mean.error.tobytes())
        return errors, x.tobytes() == numbers(300, DTYPES[0]).tobytes()

    ((one, other), same) = ranks(1, both)[0]
    assert one == other != bytes(len(one))
    assert same
