"""Arguments of commands: functions that make values of text, for argparse."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from lrcore._shared.words import shortened, shown

T = TypeVar("T")


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
    """Return a whole number from 1 to 1,000,000."""
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(
            f"expected 1 to 1,000,000, found {shown(text)}"
        )
    return int(text)


def picture_path(text: str) -> str:
    """Return the path of a picture whose folder exists."""
    if Path(text).suffix not in (".png", ".pdf", ".svg"):
        raise argparse.ArgumentTypeError(
            f"expected a .png, .pdf or .svg, found {shown(text)}"
        )
    return file(text)


def file(text: str) -> str:
    """Return the path of a file whose folder exists."""
    if not Path(text).parent.is_dir():
        raise argparse.ArgumentTypeError(
            f"there is no folder {shortened(str(Path(text).parent))}"
        )
    return text
