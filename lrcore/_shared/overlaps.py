"""Whether arrays share memory, and the messages where they do."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import ClassVar

import numpy as np

from lrcore._shared.arrays import Name, Named
from lrcore._shared.words import error, shortened


class Binding:
    """A function of the binding, which sets it, as imports lead down.

    extent : returns the addresses [start, end) between which an array has its elements.
    """

    extent: ClassVar[Callable[[np.ndarray], tuple[int, int]]]


Span = tuple[int, int, Name]
"""An array's addresses [start, end), and its name."""


def spans(named: Sequence[Named]) -> list[Span]:
    """Return the spans of arrays that are not empty, in order of address."""
    spans = [(*Binding.extent(a), name) for name, a in named]
    return sorted((s for s in spans if s[0] < s[1]), key=itemgetter(0, 1))


def apart(named: Sequence[Named], how: str = "copy one: .copy()") -> None:
    """Refuse arrays of which two overlap.

    how : what to do about it.
    """
    for (_, end, first), (start, _, second) in pairwise(spans(named)):
        if start < end:
            raise error(
                ValueError,
                second,
                f"found to share memory with {shortened(str(first))}; {how}",
            )


def apart_from(spans: list[Span], name: Name, a: np.ndarray) -> None:
    """Refuse an array that overlaps one of these spans, which do not overlap."""
    start, end = Binding.extent(a)
    if start == end:
        return
    # Only spans before `at` begin before the end of the array.
    at = bisect_left(spans, end, key=itemgetter(0))
    if at and spans[at - 1][1] > start:
        raise error(
            ValueError,
            name,
            f"found to share memory with {spans[at - 1][2]}; copy it: .copy()",
        )
