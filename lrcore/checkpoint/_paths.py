"""The path of a checkpoint, as a user gives it."""

from __future__ import annotations

import os
import stat
from os import PathLike
from typing import Any

from lrcore._shared.words import shortened, shown

Path = str | PathLike[str]


def resolved(path: Any) -> str:
    """Return where a file is, or is to be, with links followed.

    Raises
    ------
    TypeError, ValueError
        It is no path, or something else than a file is there.
    OSError
        The system does not take it, or does not let us look.
    """
    try:
        where = os.path.realpath(os.fsdecode(os.fspath(path)))
    except (TypeError, ValueError):
        raise TypeError(f"path: expected a path, found {shown(path)}") from None
    try:
        mode = os.stat(where).st_mode
    except FileNotFoundError:
        return where
    except OSError as error:
        words = f"path: {error.strerror}"
        raise type(error)(error.errno, words, shortened(where)) from None
    if not stat.S_ISREG(mode):
        raise ValueError(f"path: expected the path of a file, found {shown(path)}")
    return where
