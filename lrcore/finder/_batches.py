"""The batches of a range test, which start anew for each trial if they can."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any, Self

from lrcore._shared.words import shown


class Batches:
    """Batches that start anew for each trial, if the source allows it."""

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


def _is_iterable(source: Any) -> bool:
    """Whether `iter` takes it.  It is not called, as a loader may draw numbers then."""
    return isinstance(source, Iterable) or hasattr(type(source), "__getitem__")


def _has_state(source: Any) -> bool:
    return hasattr(source, "state_dict") and hasattr(source, "load_state_dict")
