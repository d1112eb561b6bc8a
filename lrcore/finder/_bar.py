"""The bar that shows how far a range test is."""

from __future__ import annotations

from typing import Any

# Before the race it is not known how many steps it takes: with its default settings,
# about three times those of the winner's trial (bench/finder.py).
_TRIALS = 3


class Bar:
    """One bar for the whole test, which names what the steps belong to.

    Its end is an estimate: it moves as soon as the test is known to take other steps.

    rates, steps : of the sweep, and of the winner's trial.
    """

    def __init__(self, rates: int, steps: int) -> None:
        from tqdm.auto import tqdm  # here, as its import takes long

        self._left = 0  # steps of the present turn
        self._tqdm: Any = tqdm(
            desc="range test", total=rates + _TRIALS * steps, unit=" steps", leave=False
        )

    def turn(self, name: str, steps: int) -> None:
        """Begin a turn of so many steps; what is left of the last one is left out."""
        bar = self._tqdm
        self._end_at(max(bar.total - self._left, bar.n + steps))
        bar.set_description(name, refresh=False)
        self._left = steps

    def end(self) -> None:
        """The test is whole: its end is here."""
        self._end_at(self._tqdm.n)
        self._tqdm.refresh()

    def step(self) -> None:
        """Count a step."""
        self._left -= 1
        self._tqdm.update()

    def close(self) -> None:
        """Take the bar away."""
        self._tqdm.close()

    def _end_at(self, total: int) -> None:
        self._tqdm.total = total
        box = getattr(self._tqdm, "container", None)
        if box is not None:  # that of a notebook, whose bar has an end of its own
            box.children[1].max = total
