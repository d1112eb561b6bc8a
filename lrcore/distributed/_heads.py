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
from functools import lru_cache
from typing import Any

import numpy as np

from lrcore._shared.words import listed
from lrcore.distributed._protocol import Comm

MOST = 5
"""Ints of the caller in a message."""

_TEXT = 48
"""Bytes of the call's name."""

_LITTLE = 1
"""Sent as an int, it is another one where the order of bytes is another one."""

_LAYOUT = {
    order: struct.Struct(f"{sign}{_TEXT}sq{MOST}q")
    for order, sign in (("little", "<"), ("big", ">"))
}
"""A message by the order of bytes: the call, `_LITTLE`, the ints."""

N_BYTES = _LAYOUT["little"].size
"""Bytes of a message."""

_PADDING = (0,) * MOST


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
    layout, text, n = _LAYOUT[sys.byteorder], _text(call), len(numbers)
    own = layout.pack(text, _LITTLE, *numbers, *_PADDING[n:])
    received = np.empty(comm.size * N_BYTES, np.uint8)
    comm.allgather(np.frombuffer(own, np.uint8), received, [N_BYTES] * comm.size)
    found = [*layout.iter_unpack(received.data)]
    for theirs in found:
        if theirs[0] != text or theirs[1] != _LITTLE:
            raise _refused(found)
    return [theirs[2 : 2 + n] for theirs in found]


def outliers(values: Sequence[Hashable]) -> tuple[list[int], int]:
    """Return the ranks with the first value that is not the one that most have.

    Also return a rank that has the one of most.

    values : of each rank.
    """
    most = Counter(values).most_common(1)[0][0]
    odd = next((value for value in values if value != most), most)
    ranks = [r for r, value in enumerate(values) if value == odd != most]
    return ranks, values.index(most)


@lru_cache(64)
def _text(call: str) -> bytes:
    return call.encode().ljust(_TEXT, b"\0")[:_TEXT]


def _refused(found: Sequence[Sequence[Any]]) -> ValueError:
    """Return the error of messages of different calls or orders of bytes."""
    calls, marks = ([theirs[k] for theirs in found] for k in range(2))
    if any(mark != _LITTLE for mark in marks):
        this = sys.byteorder
        that = "big" if this == "little" else "little"
        told = ", ".join(
            f"rank {r} is {this if mark == _LITTLE else that}-endian"
            for r, mark in enumerate(marks)
        )
        return ValueError(
            f"comm: expected processors with the same order of bytes, found: {told}; "
            "run all ranks on machines of one kind"
        )
    odd, other = outliers(calls)
    one, most = (
        calls[r].rstrip(b"\0").decode(errors="replace") for r in (odd[0], other)
    )
    return OtherCallError(
        f"comm: expected the same call on every rank, found {one} on rank "
        f"{listed(odd, str)} and {most} on rank {other}; all ranks make the same calls "
        "of optimizers with a comm, in the same order"
    )
