"""The first message of a meeting: which call each rank has made, and some ints.

Ranks that make different calls take the bytes of one for those of the other.  Shared
memory tells them apart, MPI does not.  So each meeting of an optimizer begins with a
message of the same size, by which all ranks find out, before anything is written.
"""

from __future__ import annotations

import struct
import sys
from collections import Counter
from collections.abc import Hashable, Sequence
from functools import cache

import numpy as np

from lrcore._shared.words import listed
from lrcore.distributed._protocol import Comm

MOST = 5
"""Ints in a message."""

_TEXT = 48
"""Bytes of the call's name."""

N_BYTES = _TEXT + 8 * (1 + MOST)
"""Bytes of a message."""

_LITTLE = 1
"""Sent as an int, it is another one where the order of bytes is another one."""


class OtherCallError(ValueError):
    """Ranks have made different calls."""


def heads(comm: Comm, call: str, numbers: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the ints of each rank.

    call : what this is, in words: the same on every rank.
    numbers : at most `MOST`, as many on every rank.

    Raises
    ------
    OtherCallError
        Ranks have made different calls: on all of them.
    ValueError
        They have different orders of bytes.
    """
    form = _form(sys.byteorder)
    text = call.encode("ascii", "replace")
    own = form.pack(text, _LITTLE, *numbers, *[0] * (MOST - len(numbers)))
    received = np.empty(comm.size * N_BYTES, np.uint8)
    comm.allgather(np.frombuffer(own, np.uint8), received, [N_BYTES] * comm.size)
    found = list(form.iter_unpack(received.data))
    _check_orders([mark == _LITTLE for _, mark, *_ in found])
    calls = [theirs for theirs, *_ in found]
    if any(theirs != calls[0] for theirs in calls):
        odd, other = outliers(calls)
        one, most = (calls[r].rstrip(b"\0").decode() for r in (odd[0], other))
        raise OtherCallError(
            f"comm: expected the same call on every rank, found {one} on rank "
            f"{listed(odd, str)} and {most} on rank {other}; all ranks make the same "
            "calls of optimizers with a comm, in the same order"
        )
    return [tuple(theirs[: len(numbers)]) for _, _, *theirs in found]


def outliers(values: Sequence[Hashable]) -> tuple[list[int], int]:
    """Return the ranks with the first value that is not the one that most have.

    Also return a rank that has the one of most.

    values : of each rank.
    """
    most = Counter(values).most_common(1)[0][0]
    odd = next((value for value in values if value != most), most)
    ranks = [r for r, value in enumerate(values) if value == odd != most]
    return ranks, values.index(most)


@cache
def _form(order: str) -> struct.Struct:
    """Return the layout of a message: the call, `_LITTLE`, the ints."""
    return struct.Struct(f"{'<' if order == 'little' else '>'}{_TEXT}sq{MOST}q")


def _check_orders(like_this: Sequence[bool]) -> None:
    """Refuse ranks with different orders of bytes.

    like_this : whether each has that of this rank.
    """
    if all(like_this):
        return
    this = sys.byteorder
    other = "big" if this == "little" else "little"
    told = ", ".join(
        f"rank {r} is {this if same else other}-endian"
        for r, same in enumerate(like_this)
    )
    raise ValueError(
        f"comm: expected processors with the same order of bytes, found: {told}; run "
        "all ranks on machines of one kind"
    )
