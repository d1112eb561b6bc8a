"""Parts of an array that stand one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from lrcore._shared.types import Array


def consecutive(array: Array, sizes: Sequence[int]) -> list[Array]:
    """Return views of parts with these sizes."""
    ends = accumulate(sizes)
    return [array[end - n : end] for n, end in zip(sizes, ends, strict=True)]
