"""Arguments of commands: functions that make values of text, for argparse."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TypeVar

import lrcore
from lrcore._shared.files import check_writable
from lrcore._shared.named import picked
from lrcore._shared.words import shown

T = TypeVar("T")

MOST = 1_000_000
"""The largest number that `positive` takes."""


def add_optimizer(parser: argparse._ActionsContainer, names: list[str]) -> None:
    """Add the option that names an optimizer."""
    parser.add_argument(
        "--optimizer",
        default="AdamW",
        type=lambda text: one_of(names, text),
        choices=names,  # for completion
        metavar="NAME",
        help=f"one of {', '.join(names)} (default: %(default)s)",
    )


def one_of(names: Iterable[str], text: str) -> str:
    """Return the one of the names that is written, in any case."""
    lower = {name.lower(): name for name in names}
    try:
        known = {name: name for name in lower.values()}
        return picked("name", lower.get(text.lower(), text), known)
    except ValueError as error:
        message = str(error).removeprefix("name: ")  # argparse names the option
        raise argparse.ArgumentTypeError(message) from None


def listed(text: str, convert: Callable[[str], T]) -> list[T]:
    """Return the values between commas."""
    return [convert(part.strip()) for part in text.split(",")]


def counts(text: str) -> list[int]:
    """Return whole numbers, such as 1e3,1e6."""

    def count(part: str) -> int:
        try:
            value = float(part)
        except ValueError:
            value = 0.0
        if not (value.is_integer() and 1 <= value <= 1e12):
            raise argparse.ArgumentTypeError(
                "expected whole numbers from 1 on, such as 1e3,1e6, found "
                f"{shown(part)}"
            )
        return int(value)

    return listed(text, count)


def duration(text: str) -> float:
    """Return seconds from 0.0001 to 60."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1e-4 <= value <= 60:
        raise argparse.ArgumentTypeError(
            f"expected seconds from 0.0001 to 60, found {shown(text)}"
        )
    return value


def positive(text: str) -> int:
    """Return a whole number from 1 to `MOST`."""
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MOST:
        raise argparse.ArgumentTypeError(
            f"expected a whole number from 1 to {MOST:,}, found {shown(text)}"
        )
    return int(text)


def picture_path(text: str) -> str:
    """Return the path of a picture that can be written."""
    if Path(text).suffix not in (".png", ".pdf", ".svg"):
        raise argparse.ArgumentTypeError(
            f"expected a .png, .pdf or .svg, found {shown(text)}"
        )
    return file(text)


def file(text: str) -> str:
    """Return the path of a file that can be written."""
    try:
        check_writable(text)
    except OSError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def optimizers(text: str) -> list[str]:
    """Return the names of optimizers between commas, in any case; all for "all"."""
    known = [*lrcore.optimizers.available()]
    if text == "all":
        return known
    return [*dict.fromkeys(listed(text, partial(one_of, known)))]


def rate(text: str) -> float:
    """Return a learning rate."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(
            f"expected a finite number > 0, such as 1e-3, found {shown(text)}"
        )
    return value


def rates(text: str) -> list[float]:
    """Return learning rates between commas, each once."""
    return [*dict.fromkeys(listed(text, rate))]
