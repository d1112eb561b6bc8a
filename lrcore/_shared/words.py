"""Short words for any object that a user passes, for error messages.

A message consists of a few such pieces (a name, a finding, a remedy), and has at most
2,048 characters, whatever the user passed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from itertools import islice
from reprlib import Repr
from textwrap import fill
from typing import Any

MOST = 200
"""Characters of one piece."""

_LIST = 300
"""Characters of a list, if its first entry is not longer."""


def printable(text: str) -> str:
    r"""Return a text in one line, of characters that can be printed.

    Others are shown as Python writes them, a newline as \n.  Names come from anywhere:
    they may have codes that change a terminal or the direction of text, or characters
    that no file of UTF-8, HTML or SVG may have.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def shortened(text: str) -> str:
    """Return a text of at most `MOST` printable characters.

    A long one loses its middle.
    """
    return _cut(printable(_cut(text)))


def _cut(text: str) -> str:
    if len(text) <= MOST:
        return text
    half = (MOST - len(" ... ")) // 2
    return f"{text[:half]} ... {text[-half:]}"


class _Brief(Repr):
    """A repr of the first entries of a container, a few levels deep."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxdict = self.maxlist = self.maxtuple = self.maxarray = 20
        self.maxset = self.maxfrozenset = self.maxdeque = 20
        self.maxstring = self.maxlong = self.maxother = MOST

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        """Keep the order of the entries, which the parent's method sorts."""
        if not x or level <= 0:
            return "{...}" if x else "{}"
        pieces = [
            f"{self.repr1(key, level - 1)}: {self.repr1(value, level - 1)}"
            for key, value in islice(x.items(), self.maxdict)
        ]
        return f"{{{', '.join(pieces)}{', ...' if len(x) > self.maxdict else ''}}}"


_brief = _Brief()


def shown(value: Any) -> str:
    """Return the repr of any object, shortened; its type where it has no repr."""
    try:
        return shortened(_brief.repr(value))
    except Exception:  # of the object's __repr__; or an int has too many digits
        return f"<{kind(value)}>"


def spelled(key: Any) -> str:
    """Return the whole repr of a key; its type where it has no repr."""
    try:
        return repr(key)
    except Exception:
        return f"<{kind(key)}>"


def named(value: Any) -> str:
    """Return a string itself, without quotes, shortened; `shown` of all else."""
    return shortened(value) if isinstance(value, str) else shown(value)


def kind(obj: Any) -> str:
    """Return the name of an object's type, with its module if that is not builtins."""
    if obj is None:
        return "None"
    name = f"{type(obj).__module__}.{type(obj).__qualname__}"
    return shortened(name.removeprefix("builtins."))


def listed(
    items: Collection[Any], word: Callable[[Any], str] = shown, room: int = _LIST
) -> str:
    """Return the words of items, joined by commas; "and 7 more" if there are too many.

    room : the most characters, unless the first word is longer.
    """
    words: list[str] = []
    for item in items:
        text = word(item)
        room -= len(text) + len(", ")
        if words and room < 0:
            return f"{', '.join(words)}, ... and {len(items) - len(words)} more"
        words.append(text)
    return ", ".join(words)


def filled(text: str, indent: int = 0) -> str:
    """Return a text in lines as wide as the terminal, but of at most 88 columns.

    indent : of the second line and those below it.
    """
    width = min(shutil.get_terminal_size().columns, 88)
    return fill(text, width, subsequent_indent=" " * indent, break_on_hyphens=False)


def error(exception: type[Exception], name: object, text: str) -> Exception:
    """Return an exception that names an argument, whose path may be long."""
    return exception(f"{shortened(str(name))}: {text}")
