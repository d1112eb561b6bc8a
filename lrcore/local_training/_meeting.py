"""What ranks tell each other when they meet, and what a meeting was like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from lrcore._shared.types import Array
from lrcore._shared.words import listed, shortened, shown
from lrcore.distributed import Comm, _heads, _words
from lrcore.local_training._shared_params import SharedParams


class Meeting(NamedTuple):
    """How the last outer step of `LocalSGD` went on this rank.

    included : the ranks whose differences were averaged.
    waited : seconds until all ranks were there.
    exchanged : seconds of the exchange, with the work of the codec.
    stepped : seconds of the outer step, and of copying its params.
    sent_bytes : what this rank has sent to others.
    """

    included: tuple[int, ...]
    waited: float
    exchanged: float
    stepped: float
    sent_bytes: int


class Head(NamedTuple):
    """What a rank tells at the beginning of a meeting; all are ints.

    rounds : outer steps so far.
    has : whether its difference is to be averaged.
    finite : whether it is finite.
    ending : whether it takes no more steps.
    digest : of the shared params after construction and loading; later 0.
    """

    rounds: int
    has: int
    finite: int
    ending: int
    digest: int


def heads(comm: Comm, own: Head) -> list[Head]:
    """Return the head of each rank."""
    return [Head(*each) for each in _heads.heads(comm, "meeting of LocalSGD", own)]


def check_rounds(found: Sequence[Head]) -> None:
    """Refuse ranks that have not taken the same outer steps."""
    rounds = [each.rounds for each in found]
    if len({*rounds}) > 1:
        r = next(r for r, each in enumerate(rounds) if each != rounds[0])
        raise ValueError(
            f"rounds: expected as many on each rank, found {rounds[0]} on rank 0 and "
            f"{rounds[r]} on rank {r}; load checkpoints of the same outer step"
        )


def digest(arrays: Sequence[Array]) -> int:
    """Return a number that differs for other bytes."""
    found = 1
    for a in arrays:
        found = crc32(a.reshape(-1, order="A").data, found)
    return found


def check_start(comm: Comm, shared: SharedParams) -> None:
    """Refuse shared params that are not the same bits on all ranks."""
    of_all = _words.of_all(comm, [digest([a]) for a in shared.arrays])
    for r, theirs in enumerate(of_all):
        for leaf, one, other in zip(shared.tree.leaves, of_all[0], theirs, strict=True):
            if one != other:
                raise ValueError(
                    f"params{shortened(leaf.path)}: expected the same values on all "
                    f"ranks, found others on rank {r} than on rank 0; copy those of "
                    "one rank to all before training, or load the same checkpoint"
                )


def check_finite(comm: Comm, found: Sequence[Head], shared: SharedParams) -> None:
    """Refuse differences that are to be averaged and are not finite."""
    if all(each.finite or not each.has for each in found):
        return
    own = [
        leaf.path
        for leaf, a in zip(shared.tree.leaves, shared.own, strict=True)
        if not np.isfinite(a).all()
    ]
    of_all = _words.of_all(comm, own)
    r = next(r for r, each in enumerate(found) if each.has and not each.finite)
    raise ValueError(
        f"params: expected finite values on all ranks, found NaN, infinity or a "
        f"difference beyond the range on rank {r}, in [{listed(of_all[r])}]; lower "
        "its learning rate, and load the last checkpoint on all ranks"
    )


def check_alike(comm: Comm, told: Mapping[str, Any]) -> None:
    """Refuse ranks that were not constructed alike.

    told : values by the names of arguments, as JSON has them.
    """
    of_all = _words.of_all(comm, told)
    for r, theirs in enumerate(of_all):
        for name, value in of_all[0].items():
            if theirs[name] != value:
                one, other = _difference(value, theirs[name])
                raise ValueError(
                    f"{name}: expected the same on all ranks, found {one} on rank 0 "
                    f"and {other} on rank {r}"
                )


def _difference(one: Any, other: Any) -> tuple[str, str]:
    """Return the first entries that differ, of lists, in words."""
    if isinstance(one, list) and isinstance(other, list):
        for a, b in zip(one, other, strict=False):
            if a != b:
                return shown(a), shown(b)
        return f"{len(one)} arrays", f"{len(other)}"
    return shown(one), shown(other)
