"""Arguments of commands: functions that make values of text, for argparse."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
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
        type=lambda text: {name.lower(): name for name in names}.get(
            text.lower(), text
        ),
        choices=names,
        metavar="NAME",
        help=f"one of {', '.join(names)} (default: %(default)s)",
    )


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
        raise argparse.ArgumentTypeError(f"expected 1 to {MOST:,}, found {shown(text)}")
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
    known = {name.lower(): name for name in lrcore.optimizers.available()}
    if text == "all":
        return [*known.values()]

    def one(part: str) -> str:
        try:
            return picked("name", part.lower(), known)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return [*dict.fromkeys(listed(text, one))]


def rates(text: str) -> list[float]:
    """Return learning rates between commas, each once."""

    def rate(part: str) -> float:
        try:
            value = float(part)
        except ValueError:
            value = 0.0
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(
                f"expected finite numbers > 0, such as 1e-3,0.01, found {shown(part)}"
            )
        return value

    return [*dict.fromkeys(listed(text, rate))]
