"""The batches of a range test, some of which can be had again."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np

from lrcore._shared.types import Array
from lrcore._shared.words import shown

_WATCHED = 3
"""Batches by which a source that refills its arrays is found out."""


class Batches:
    """Batches by number, which start anew if the source allows it.

    Those from the lowest number that is still wanted on are held, so that trials that
    take turns see the same ones.  A source that fills the same arrays again and again
    is found out by its first batches; of its batches copies are held.
    """

    def __init__(self, source: Any) -> None:
        self._source = source
        iterable = _is_iterable(source)
        if not iterable and not callable(source):
            raise TypeError(
                "batches: expected an iterable of batches, or a function that returns "
                f"one, found {shown(source)}"
            )
        self._function = None if iterable else source
        self._iterator: Iterator[Any] = iter(())
        self._any = False
        self._saved: Any = None
        self._held: list[Any] = []
        self._lowest = 0  # the number of the first one held
        self._refills = False
        self._to_watch = _WATCHED
        self._before: tuple[Any, Any] = None, None  # a batch and its copy

    def __enter__(self) -> Self:
        if _has_state(self._source):
            self._saved = copy.deepcopy(self._source.state_dict())
        return self

    def __exit__(self, *_: object) -> None:
        self._put_back()

    def _put_back(self) -> None:
        if self._saved is not None:  # pass a copy: the source may change it in place
            self._source.load_state_dict(copy.deepcopy(self._saved))

    def begin(self) -> None:
        """Start the batches anew; an iterator goes on instead."""
        self._put_back()
        again = self._anew()
        self._any = self._any and again is self._iterator
        self._iterator = again
        self._held, self._lowest = [], 0

    def drop(self, lowest: int) -> None:
        """Hold batches from this number on only.

        Those that nobody has asked for yet, as a loss before them was not finite, are
        still to be taken from the source.
        """
        gone = min(lowest - self._lowest, len(self._held))
        if gone > 0:
            del self._held[:gone]
            self._lowest += gone

    def at(self, number: int) -> Any:
        """Return a batch.

        Raises
        ------
        StopIteration
            The batches are used up, and cannot start anew.
        """
        place = number - self._lowest
        while place >= len(self._held):
            batch = self.next()
            if self._to_watch:
                self._watch(batch)
            self._held.append(copy.deepcopy(batch) if self._refills else batch)
        return self._held[place]

    def _watch(self, batch: Any) -> None:
        """Find out whether this batch has changed the arrays of the one before.

        If so, the one before is replaced by its copy.
        """
        self._to_watch -= 1
        before, copied = self._before
        if not all(map(np.array_equal, _arrays(before), _arrays(copied))):
            self._refills, self._to_watch = True, 0
            self._held = [copied if each is before else each for each in self._held]
        watched = self._to_watch and _arrays(batch)
        self._before = (batch, copy.deepcopy(batch)) if watched else (None, None)

    def _anew(self) -> Iterator[Any]:
        made = self._function() if self._function else self._source
        if not _is_iterable(made):
            raise TypeError(
                f"batches: expected it to return an iterable, found {shown(made)}"
            )
        return iter(made)

    def next(self) -> Any:
        """Return the next batch; after the last one, the first.

        Raises
        ------
        StopIteration
            The batches are used up, and cannot start anew.
        """
        for batch in self._iterator:
            self._any = True
            return batch
        if not self._any:
            raise ValueError("batches: expected at least one batch, found none")
        again = self._anew()
        if again is self._iterator:
            raise StopIteration
        self._iterator, self._any = again, False
        return self.next()


def _arrays(batch: Any) -> list[Array]:
    """Return the arrays of a batch: itself, or those in a tuple, list or dict."""
    if isinstance(batch, np.ndarray):
        return [batch]
    parts = batch.values() if isinstance(batch, dict) else batch
    if not isinstance(batch, (dict, tuple, list)):
        return []
    return [part for part in parts if isinstance(part, np.ndarray)]


def _is_iterable(source: Any) -> bool:
    """Whether `iter` takes it.  It is not called, as a loader may draw numbers then."""
    return isinstance(source, Iterable) or hasattr(type(source), "__getitem__")


def _has_state(source: Any) -> bool:
    return hasattr(source, "state_dict") and hasattr(source, "load_state_dict")
