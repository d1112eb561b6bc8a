"""Writing a file whole, or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from typing import BinaryIO

from lrcore._shared.words import shortened


@contextmanager
def replacing(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Give a new file to write, which is at `path` after the block.

    If the block raises an error, as on a full disk, what is at `path` stays as it was.
    What is no ordinary file, such as a pipe, is written to.

    Raises
    ------
    OSError
        It cannot be written.
    """
    where = os.path.realpath(os.fsdecode(path))  # a link stays one
    if os.path.exists(where) and not os.path.isfile(where):
        with open(where, "wb") as file:
            yield file
        return
    folder, name = os.path.split(where)
    unfinished = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(8)}.tmp")
    try:
        with open(unfinished, "xb") as file:
            yield file
        with suppress(FileNotFoundError):
            os.chmod(unfinished, os.stat(where).st_mode & 0o7777)
        os.replace(unfinished, where)
    except BaseException:
        with suppress(OSError):
            os.unlink(unfinished)
        raise


def check_writable(path: str | PathLike[str]) -> None:
    """Check, before long work, that a file can be written; it is not changed.

    Raises
    ------
    OSError
        It is a folder, its folder is not there, or it may not be written.
    """
    where, told = os.path.realpath(os.fsdecode(path)), shortened(os.fsdecode(path))
    folder = os.path.dirname(where)
    if os.path.isdir(where):
        raise IsADirectoryError(f"{told} is a folder; name a file in it")
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"there is no folder {shortened(folder)}")
    if os.path.exists(where) and not os.access(where, os.W_OK):
        raise PermissionError(f"{told} may not be written")
    is_file = os.path.isfile(where) or not os.path.exists(where)
    if is_file and not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{told}: no file may be made in its folder")
