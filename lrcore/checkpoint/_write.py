"""Writing a checkpoint, a part of a tensor at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from typing import Any

import numpy as np

from lrcore._shared.types import Array
from lrcore.checkpoint import _digests, _durable, _layout


def write(
    path: str,
    arrays: Mapping[str, Array],
    metadata: Mapping[str, str],
    check: Callable[[], None] | None = None,
) -> None:
    """Write arrays and texts to a file, whole or not at all; see `_durable`.

    check : called when all is written; if it raises an error, the old file stays.
        None: no other thread changes the arrays.
    """
    kinds = [(name, _code(a), a.shape) for name, a in arrays.items()]
    tensors = _layout.placed(kinds)
    head = _layout.header([*tensors, _layout.digests_after(tensors)], metadata)
    of_header = _digests.of_header(head)
    parts = _parts if check is None else _copied_parts
    with _durable.replacing(path) as file, _named(path):
        _put(file, head)
        digests = []
        for tensor in tensors:
            digest = _digests.begun(of_header, tensor)
            for part in parts(arrays[tensor.name], tensor.dtype):
                digest.update(part)
                _put(file, part)
            digests.append(digest.digest())
        _put(file, b"".join([*digests, of_header]))
        if check is not None:
            check()


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Add the file to an error of the system, as open() does and write() does not."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = path
        raise


def _code(a: Array) -> str:
    """Return the name of the array's dtype, which the Encoder has checked."""
    code = _layout.code_of(a.dtype)
    assert code is not None
    return code


def _parts(a: Array, dtype: np.dtype[Any]) -> Iterator[memoryview]:
    """Return the bytes of an array in C order, which is the file's."""
    if a.dtype != dtype or not a.flags.c_contiguous:
        yield from _copied_parts(a, dtype)
        return
    whole = a.reshape(-1).view(np.uint8).data
    for begin in range(0, a.nbytes, _digests.CHUNK):
        yield whole[begin : begin + _digests.CHUNK]


def _copied_parts(a: Array, dtype: np.dtype[Any]) -> Iterator[memoryview]:
    """Return the bytes of an array in C order, in a buffer that is used again.

    They are copied so that digest and file are of the same bytes, whatever other
    threads do with the array meanwhile.
    """
    copies = np.empty(min(a.size, _digests.CHUNK // dtype.itemsize), dtype)
    flat = a.reshape(-1) if a.flags.c_contiguous else a.flat
    for begin in range(0, a.size, len(copies) or 1):
        part = copies[: a.size - begin]
        part[...] = flat[begin : begin + len(part)]
        yield part.view(np.uint8).data


def _put(file: FileIO, data: bytes | memoryview) -> None:
    """Write all of the data: the system may take a part of it at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
