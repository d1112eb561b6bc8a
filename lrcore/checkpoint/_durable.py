"""Replacing a file so that a crash at any moment leaves the old one or the new one.

The new file is written under another name in the same folder, and is complete on the
disk (fsync) before it takes the name.  The old one stays as ``NAME.prev``.

A lock says that a file is in use, so that another process does not take it for one that
a killed save left.  Windows has no such lock.  It does not remove a file that is open,
but does not rename one either: the new file is closed before it takes the name.  So a
file is left alone there for an hour after the last write.  Nor does Windows wait for
the names in a folder.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO

from lrcore._shared.forks import in_children

try:
    import fcntl
except ImportError:  # Windows
    LOCKS = False
else:
    LOCKS = True
"""Whether a process can lock a file for the time that it writes it."""

PREVIOUS = ".prev"
"""The ending of the name of the file that was there before."""

_UNFINISHED = ".tmp"

_SECONDS = 3600.0
"""After the last write, a file without a lock is taken for one that was left."""

_open: dict[FileIO, int] = {}
"""The files that are being written, each with the thread that does it."""

_NO_LINKS = (
    *(errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK),
    errno.EINVAL,  # FAT on Windows
)
"""The errors of file systems that cannot give a file a second name."""


@contextmanager
def replacing(path: str) -> Iterator[FileIO]:
    """Give a new file to write, which is at `path` after the block.

    If the block or anything after it raises an error, the file at `path` is the old
    one, unless only the last call failed, which makes the new name durable.
    """
    folder, name = os.path.split(path)
    remove_unfinished(folder, f"{name}.")
    unfinished = os.path.join(folder, f".{name}.{secrets.token_hex(8)}{_UNFINISHED}")
    # The mode is 0o666 without the bits of the umask, as of a file that open() makes.
    with FileIO(unfinished, "x") as file:
        _open[file] = threading.get_ident()
        try:
            if LOCKS:
                # The system unlocks it when the process ends, however it ends.
                with suppress(OSError):
                    fcntl.flock(file, fcntl.LOCK_EX)
            yield file
            os.fsync(file.fileno())
            _keep(path, unfinished)
            if not LOCKS:
                file.close()
            os.replace(unfinished, path)
        except BaseException:
            with suppress(OSError):
                if not LOCKS:
                    file.close()
                os.unlink(unfinished)
            raise
        finally:
            _open.pop(file, None)
    sync_folder(folder)


def _forked() -> None:
    """Close, in a child, the files that other threads write: it would lock them."""
    for file, thread in list(_open.items()):
        if thread != threading.get_ident():
            file.close()
            del _open[file]


in_children(_forked)


def sync_folder(folder: str) -> None:
    """Wait until the names in a folder are on the disk, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that writes names at once
            raise
    finally:
        os.close(opened)


def _keep(path: str, unfinished: str) -> None:
    """Give the file at `path`, if there is one, the name of the previous one, too.

    It has both names for a moment, so that a crash never leaves `path` without a file.
    """
    second = unfinished + _UNFINISHED
    try:
        try:
            os.link(path, second)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            shutil.copyfile(path, second)
            with FileIO(second, "r+") as copy:
                os.fsync(copy.fileno())
        os.replace(second, path + PREVIOUS)
    finally:
        # Renaming does nothing if both names are of one file already, as they are if a
        # crash came before `path` took the new file.
        with suppress(OSError):
            os.unlink(second)


def remove_unfinished(folder: str, names: str) -> None:
    """Remove what killed saves left, of files whose names begin with `names`.

    Errors are ignored, as these files harm nothing but the free space.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            ours = entry.name.startswith(f".{names}")
            if ours and entry.name.endswith(_UNFINISHED):
                with suppress(OSError):
                    if not _is_in_use(entry.path):
                        os.unlink(entry.path)


def _is_in_use(path: str) -> bool:
    """Return whether a save is writing a file, or needs a second name of the old one.

    The second name is needed only while the new file is there, which tells of both: the
    old file has no lock, and its age is not that of the name.

    Raises
    ------
    OSError
        The file is locked, or this cannot be known.
    """
    is_second = path.endswith(2 * _UNFINISHED)
    unfinished = path.removesuffix(_UNFINISHED) if is_second else path
    try:
        if not LOCKS:
            return time.time() - os.stat(unfinished).st_mtime < _SECONDS
        with FileIO(unfinished) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:  # the save that gave the second name was killed
        pass
    return False
