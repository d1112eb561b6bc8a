"""Reading a checkpoint: every byte is verified before a tensor is used."""

from __future__ import annotations

import errno
import json
import mmap
import os
from io import FileIO
from typing import Any

import numpy as np

from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.checkpoint import _digests, _layout
from lrcore.checkpoint._durable import PREVIOUS
from lrcore.checkpoint._layout import DIGEST_SIZE, DIGESTS, Header, Tensor

FORMAT = "lrcore checkpoint"
VERSION = 1
"""The version of the format; it grows when an older lrcore cannot read a file."""


class DamagedError(ValueError):
    """A checkpoint is not as it was saved: cut short, changed, or on a bad sector."""


class Opened:
    """A file of safetensors, open for reading.

    own : whether `save` wrote it; other files have no digests.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._map: mmap.mmap | None = None
        try:
            self._file = FileIO(path)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                error.errno, f"path: found no file there{self._advice()}", path
            ) from None
        try:
            self._start, self.header, self.of_header = self._begun()
        except BaseException:
            self._file.close()
            raise
        self.own = self.header.metadata.get("format") == FORMAT

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()  # a map stays, as long as arrays use it

    # --- what is in it -------------------------------------------------------------

    @property
    def tensors(self) -> list[Tensor]:
        """Its tensors in the order of the data, without the digests."""
        found = sorted(self.header.tensors.values(), key=lambda t: (t.begin, t.end))
        return found[:-1] if self.own else found

    def number(self, name: str) -> Any:
        """Return a number that the header has, or None."""
        return json.loads(self.header.metadata.get(name, "null"))

    def array(self, name: str) -> Array:
        """Return a tensor, read into memory."""
        tensor = self.header.tensors[name]
        array = np.empty(tensor.shape, tensor.dtype)
        self._fill(tensor, array.reshape(-1).view(np.uint8).data, tensor.begin)
        return _native(array)

    def mapped(self, name: str) -> Array:
        """Return a tensor as a view of the mapped file, read-only.

        It is read into memory if the file system cannot map.
        """
        tensor = self.header.tensors[name]
        if self._map is None:
            try:
                self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
            except OSError:
                return self.array(name)
        count = (tensor.end - tensor.begin) // tensor.dtype.itemsize
        if not count:  # NumPy has no view of no bytes
            return np.empty(tensor.shape, tensor.dtype)
        start = self._start + tensor.begin
        flat = np.frombuffer(self._map, tensor.dtype, count, start)
        return _native(flat.reshape(tensor.shape))

    # --- verifying -----------------------------------------------------------------

    def verify(self, rank: int = 0, size: int = 1) -> None:
        """Compare the digests of all tensors, or of those that a rank of several has.

        The file is read, and not mapped: a bad sector is an error then, not a signal
        that ends the process.

        Raises
        ------
        DamagedError
            A tensor has another digest than when it was saved.
        """
        buffer = memoryview(bytearray(_digests.CHUNK))
        row_of = dict(zip(self.tensors, self.array(DIGESTS), strict=False))
        for tensor in _layout.dealt(self.tensors, rank, size):
            digest = _digests.begun(self.of_header, tensor)
            for begin in range(tensor.begin, tensor.end, _digests.CHUNK):
                part = buffer[: tensor.end - begin]
                self._fill(tensor, part, begin)
                digest.update(part)
            if digest.digest() != row_of[tensor].tobytes():
                raise self._damaged(f"{shown(tensor.name)} has another digest")

    def _begun(self) -> tuple[int, Header, bytes]:
        """Return where the data begins, the header, and its digest."""
        size = os.fstat(self._file.fileno()).st_size
        length = int.from_bytes(self._bytes(0, min(size, 8)), "little")
        start = 8 + length
        if not 0 < length <= min(size - 8, _layout.LONGEST_HEADER):
            raise self._damaged("it is cut short, or no safetensors file")
        head = self._bytes(0, start)
        of_header = _digests.of_header(head)
        whole = self._bytes(max(size - DIGEST_SIZE, 0), size) == of_header
        try:
            header = _layout.parsed(head[8:], size - start)
        except (ValueError, RecursionError) as error:
            raise self._damaged(f"header: {error}") from None
        if header.metadata.get("format") != FORMAT:
            if DIGESTS in header.tensors or whole:
                raise self._damaged("its header has lost its format")
            return start, header, of_header
        last = header.tensors.get(DIGESTS)
        rows = (len(header.tensors), DIGEST_SIZE)
        if not whole or last is None or (last.code, last.shape) != ("U8", rows):
            raise self._damaged("its header has another digest")
        if last.end != size - start:
            raise self._damaged("its digests are not at its end")
        self._check_version(header.metadata.get("version"))
        return start, header, of_header

    def _check_version(self, version: Any) -> None:
        if version not in map(str, range(1, VERSION + 1)):
            raise ValueError(
                f"path: expected a format version of at most {VERSION}, found "
                f"{shown(version)} in {shown(self.path)}, which a newer lrcore has "
                "saved; update lrcore"
            )

    # --- bytes ---------------------------------------------------------------------

    def _bytes(self, begin: int, end: int) -> bytes:
        data = bytearray(end - begin)
        self._read(memoryview(data), begin, "it")
        return bytes(data)

    def _fill(self, tensor: Tensor, part: memoryview, begin: int) -> None:
        """Read bytes of the data, from `begin` on, into a buffer."""
        self._read(part, self._start + begin, shown(tensor.name))

    def _read(self, part: memoryview, begin: int, name: str) -> None:
        """Read bytes of the file; name : what they are of, in the words of errors."""
        self._file.seek(begin)
        while part:
            try:
                count = self._file.readinto(part)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                raise self._damaged(f"{name} cannot be read: {error}") from error
            if not count:
                raise self._damaged(f"{name} is cut short")
            part = part[count:]

    def _damaged(self, what: str) -> DamagedError:
        return DamagedError(
            f"path: found a damaged checkpoint, {shown(self.path)}: {what}"
            f"{self._advice()}"
        )

    def _advice(self) -> str:
        """Say that the save before this one is there, if it is."""
        previous = self.path + PREVIOUS
        if not os.path.exists(previous):
            return ""
        return f"; the save before it is there: load {shown(previous)}"


def _native(array: Array) -> Array:
    """Return an array in this machine's byte order."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)
