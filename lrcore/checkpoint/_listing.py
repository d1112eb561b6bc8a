"""The checkpoints that are in a folder, by their headers."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from lrcore.checkpoint import _durable
from lrcore.checkpoint._load import opened
from lrcore.checkpoint._read import DamagedError

_NAME = re.compile(r"step-\d{9,}\.safetensors(\.prev)?")


def name_of(step: int) -> str:
    """Return the name of a checkpoint's file."""
    return f"step-{step:09d}.safetensors"


class Entry(NamedTuple):
    """A checkpoint of which the header has been verified.

    number : how many were saved before it, so that the greatest is the latest.
    """

    path: Path
    number: int
    step: int
    metric: float | None


class Listing(NamedTuple):
    """The checkpoints of a folder.

    entries : in the order of saving.
    damaged : the errors of those whose header is damaged.
    """

    entries: list[Entry]
    damaged: list[DamagedError]

    @property
    def next_number(self) -> int:
        """The number of the checkpoint that is saved next."""
        return self.entries[-1].number + 1 if self.entries else 0

    @property
    def current(self) -> list[Path]:
        """Those that no later save of the same step has replaced."""
        return [e.path for e in self.entries if e.path.suffix != _durable.PREVIOUS]

    def best(self, mode: str) -> Path | None:
        """Return that with the best metric; of equal ones, the first."""
        sign = 1 if mode == "min" else -1
        known = [
            (sign * e.metric, e.number, e.path)
            for e in self.entries
            if e.metric is not None
        ]
        return min(known)[2] if known else None


def listing(folder: Path) -> Listing:
    """Return the checkpoints in a folder; other files are left out."""
    found, damaged = [], []
    for name in sorted(os.listdir(folder)):
        if not _NAME.fullmatch(name):
            continue
        path = folder / name
        try:
            with opened(path) as file:
                number = file.number("number")
                step, metric = file.number("step"), file.number("metric")
            found.append(Entry(path, number or 0, step or 0, metric))
        except FileNotFoundError:  # another process has removed it just now
            continue
        except DamagedError as error:
            damaged.append(error)
    return Listing(sorted(found, key=lambda entry: entry.number), damaged)
