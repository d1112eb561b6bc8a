"""The progress of a search: a bar, and notes on an error that ends it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

from lrcore.search._result import Search
from lrcore.search._trial import Trial, ranked
from lrcore.space._dimension import Dimension


def note(
    error: BaseException,
    found: Sequence[Trial],
    space: Mapping[str, Dimension],
    mode: Literal["min", "max"],
) -> None:
    """Add the table of the completed trials to an error that would lose them."""
    if found:
        table = Search(ranked(found, mode), space, mode).table(20)
        error.add_note(f"after these trials:\n{table}")


@contextmanager
def bar(show: bool, total: int, start: int = 0) -> Iterator[Callable[[float], None]]:
    """Show a progress bar; yield a function to call with the best value so far."""
    if not show or sys.stderr is None:
        yield lambda best: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, initial=start, unit=" trials", desc="searching") as shown:

        def advance(best: float) -> None:
            shown.set_postfix(best=f"{best:.4g}", refresh=False)
            shown.update()

        yield advance
