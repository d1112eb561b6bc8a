"""The order in which gradients are added, and who owns which elements."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcore._shared import quota
from lrcore.distributed import _rows, _threads
from lrcore.distributed._shards import STRIP, Owned, Shards
from lrcore.distributed._tree import Kept, additions, blocks


def tree(grads):
    """Return the sum of a binary tree, whose left half is the largest power of 2."""
    if len(grads) == 1:
        return grads[0]
    half = 1 << (len(grads) - 1).bit_length() - 1
    return tree(grads[:half]) + tree(grads[half:])


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 40), st.lists(st.integers(0, 40), max_size=5))
def test_the_sum_is_that_of_the_tree_however_it_is_cut(n, cuts):
    rng = np.random.default_rng(n)
    grads = [rng.standard_normal(3, "f4") for _ in range(n)]
    cuts = [0, *sorted(min(cut, n) for cut in cuts), n]
    begins, sums = [], []
    for first, end in pairwise(cuts):
        kept = Kept(first)
        for g in grads[first:end]:
            own = g.copy()
            kept.add([own])
            own[:] = np.nan  # the caller may use it again
        assert [block.begin for block in kept.blocks] == blocks(first, end - first)
        begins += blocks(first, end - first)
        sums += [block.grads[0] for block in kept.blocks]
    for i, k in additions(begins):
        sums[i] = sums[i] + sums[k]
    assert sums[0].tobytes() == tree(grads).tobytes()


def test_blocks_are_few():
    assert blocks(0, 8) == [0]
    assert blocks(8, 8) == [8]
    assert blocks(3, 6) == [3, 4, 8]
    assert max(len(blocks(a, 1000)) for a in range(1000)) <= 2 * 10


def test_what_is_absent_counts_as_zero():
    kept = Kept(0)
    minus = np.array([-0.0, 1.0])
    for g in (None, minus, minus, None, minus):
        kept.add([g])
    assert [block.grads[0].tolist() for block in kept.blocks] == [[0, 2], [0, 1]]
    assert not np.signbit(kept.blocks[0].grads[0][0])
    kept = Kept(0)
    kept.add([None])
    kept.add([minus])
    assert not np.signbit(kept.blocks[0].grads[0][0])
    kept = Kept(0)
    kept.add([None])
    kept.add([None])
    assert kept.blocks[0].grads == [None]


# --- shards ---------------------------------------------------------------------------

SIZES = st.lists(
    st.tuples(st.integers(0, 6 * STRIP), st.sampled_from([4, 8]), st.booleans()),
    min_size=1, max_size=8,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(SIZES, st.integers(1, 7))
def test_each_element_has_one_owner(sizes, ranks):
    owned = [Owned(n, float(n * size), whole) for n, size, whole in sizes]
    shards = Shards(owned, ranks)
    for i, (n, _, whole) in enumerate(sizes):
        count = np.zeros(n, int)
        for r in range(ranks):
            begin, end = shards.of(r, i)
            assert 0 <= begin <= end <= n
            count[begin:end] += 1
            if begin < end:
                assert begin % STRIP == 0
                assert end % STRIP == 0 or end == n
                assert not whole or (begin, end) == (0, n)
        assert (count == 1).all()


@pytest.mark.parametrize("ranks", [2, 3, 5, 16])
def test_costs_are_even(ranks):
    n = [100 * STRIP, 37 * STRIP + 5, 3, 64 * STRIP]
    shards = Shards([Owned(k, 4.0 * k, False) for k in n], ranks)
    own = (shards.end - shards.begin).sum(axis=1)
    assert own.max() - own.min() <= 2 * STRIP


def test_many_small_arrays_weigh_little():
    n = [100 * STRIP, *[10] * 1000]
    shards = Shards([Owned(k, 4.0 * k, False) for k in n], 2)
    own = (shards.end - shards.begin).sum(axis=1)
    assert own.max() - own.min() <= 2 * STRIP


def test_a_rank_with_a_dear_array_owns_nothing_else():
    """The others share the rest evenly."""
    owned = [Owned(10, 1e6, True), Owned(30 * STRIP, 4.0, False)]
    shards = Shards(owned, 3)
    assert [shards.of(r, 0) for r in range(3)] == [(0, 10), (10, 10), (10, 10)]
    assert [b - a for a, b in (shards.of(r, 1) for r in range(3))] == [
        0, 15 * STRIP, 15 * STRIP,
    ]  # fmt: skip


def test_the_dearest_arrays_are_dealt_out_first():
    owned = [Owned(10, cost, True) for cost in (1.0, 5.0, 4.0, 2.0)]
    owned.append(Owned(STRIP * 10, 4.0, False))
    shards = Shards(owned, 2)
    load = [0.0, 0.0]
    for r in range(2):
        for i, array in enumerate(owned):
            begin, end = shards.of(r, i)
            load[r] += array.cost * (end - begin) / array.n
    assert load == pytest.approx([8.0, 8.0])


def test_rows_share_a_window_until_they_are_small(monkeypatch):
    monkeypatch.setattr(_rows, "WINDOW", 64 * 1000)
    monkeypatch.setattr(_rows, "ROW", 64 * 10)
    found = [_rows.row_bytes(size) // 64 for size in (1, 2, 3, 100, 101, 10**6)]
    assert found == [1000, 500, 333, 10, 10, 10]
    assert all(_rows.row_bytes(size) % 64 == 0 for size in range(1, 200))


# --- threads --------------------------------------------------------------------------


def seats(*cpus, host="a", quotas=()):
    """Return the seats of ranks on one host; quotas: those of each, by group."""
    quotas = [*quotas, *[{}] * (len(cpus) - len(quotas))]
    return [[host, own, limits] for own, limits in zip(cpus, quotas, strict=True)]


ALL = [*range(8)]


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (seats(ALL), [8]),
        (seats(ALL, ALL), [4, 4]),
        (seats(ALL, ALL, ALL), [2, 2, 2]),
        (seats(*[ALL] * 20), [1] * 20),
        (seats([0, 1], [2, 3]), [2, 2]),  # each has processors of its own
        (seats(ALL) + seats(ALL, host="b"), [8, 8]),
        (seats([0, 1], [0, 1], [2, 3, 4]), [1, 1, 3]),
        (seats([0, 1, 2], [2, 3, 4]), [2, 2]),  # 2 is in between
        (seats(ALL, ALL, quotas=[{"1": 2}] * 2), [1, 1]),  # in the same group
        (seats(ALL, ALL, quotas=[{"1": 2}, {"2": 3}]), [2, 3]),
        (seats(ALL, ALL, quotas=[{"1": 2, "0": 3}, {"2": 3, "0": 3}]), [1, 1]),
        (seats(ALL, ALL, quotas=[{"1": 2}]), [2, 4]),
    ],
)
def test_ranks_share_the_processors_of_a_host(found, wanted):
    alone = 8
    assert [_threads.share(r, found, alone, {}) for r in range(len(found))] == wanted


@pytest.mark.parametrize(
    ("value", "wanted"), [("3", 3), ("6", 4), ("", 4), ("abc", 4), ("0", 4)]
)
def test_slurm_says_how_many_processors_a_task_has(value, wanted):
    environment = {"SLURM_CPUS_PER_TASK": value}
    assert _threads.share(0, seats(ALL, ALL), 8, environment) == wanted


def test_the_threads_of_a_rank_alone_are_the_most_that_it_has():
    assert _threads.share(0, seats(ALL, ALL), 3, {}) == 3


def test_a_host_is_the_run_of_a_kernel(tmp_path, monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "name")
    limit = quota.Limit("7", 2)
    boot = tmp_path / "boot_id"
    host, cpus, quotas = _threads.seat(boot, [limit])
    assert (host, quotas) == ("name", {"7": 2})
    assert cpus
    boot.write_text("4f\n")
    assert _threads.seat(boot, [])[0] == "4f"
