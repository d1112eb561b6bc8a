"""The layout of a safetensors file: a JSON header with the place of each tensor, data.

::

    8 bytes         N, little-endian
    N bytes         {"__metadata__": {name: text}, tensor: {"dtype", "shape",
                    "data_offsets"}}, padded with spaces
    to the end      the tensors, little-endian, in C order, without gaps

Here the last tensor is `DIGESTS`: a row of 32 bytes for each other tensor, in the order
of the data, and then one for all bytes before the data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from lrcore._shared.words import shown

DIGESTS = "digests"
DIGEST_SIZE = 32

ALIGNED = 64
"""The data begins at a multiple of this, and tensors with large elements come first, so
that each tensor of a mapped file is aligned."""

LONGEST_HEADER = 100_000_000
"""The longest header that the safetensors package reads."""

DTYPES = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
"""The dtypes that both safetensors and NumPy have, as a file has them."""

_CODES = {
    (dtype.kind, dtype.itemsize): code  # of either byte order
    for code, dtype in DTYPES.items()
}


class Tensor(NamedTuple):
    """A tensor of a file: bytes [begin, end) of the data."""

    name: str
    code: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype as the file has it, which is little-endian."""
        return DTYPES[self.code]


class Header(NamedTuple):
    """What a header says."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


def code_of(dtype: np.dtype[Any]) -> str | None:
    """Return the name that safetensors has for a dtype, or None."""
    return _CODES.get((dtype.kind, dtype.itemsize))


def placed(kinds: Sequence[tuple[str, str, tuple[int, ...]]]) -> list[Tensor]:
    """Return the place of each tensor: by size of the elements, the largest first.

    kinds : name, code and shape.
    """
    tensors, at = [], 0
    for name, code, shape in sorted(kinds, key=lambda k: -DTYPES[k[1]].itemsize):
        end = at + prod(shape) * DTYPES[code].itemsize
        tensors.append(Tensor(name, code, shape, at, end))
        at = end
    return tensors


def digests_after(tensors: Sequence[Tensor]) -> Tensor:
    """Return the last tensor of a file, which has the digests of these."""
    rows = (len(tensors) + 1, DIGEST_SIZE)
    begin = tensors[-1].end if tensors else 0
    return Tensor(DIGESTS, "U8", rows, begin, begin + rows[0] * rows[1])


def header(tensors: Sequence[Tensor], metadata: Mapping[str, str]) -> bytes:
    """Return all bytes of a file before its data."""
    entries: dict[str, Any] = {"__metadata__": metadata}
    for t in tensors:
        offsets = [t.begin, t.end]
        entries[t.name] = {"dtype": t.code, "shape": t.shape, "data_offsets": offsets}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNED)
    if len(text) > LONGEST_HEADER:
        raise ValueError(
            f"params: found {len(tensors):,} arrays, states included, whose names and "
            f"places take {len(text):,} bytes, and a safetensors file has at most "
            f"{LONGEST_HEADER:,} for them; join small arrays to larger ones"
        )
    return len(text).to_bytes(8, "little") + text


def parsed(text: bytes, size: int | None) -> Header:
    """Return what a header says.

    size : the number of bytes of the data; None: it is not known.

    Raises
    ------
    ValueError
        It is not the header of such a file.
    """
    found = json.loads(text, object_pairs_hook=_once)
    if not isinstance(found, dict):
        raise ValueError(f"expected a dict, found {shown(found)}")
    metadata = found.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(
        isinstance(value, str) for value in metadata.values()
    ):
        raise ValueError(f"__metadata__: expected texts, found {shown(metadata)}")
    tensors = [_tensor(name, entry) for name, entry in found.items()]
    at = 0
    for tensor in sorted(tensors, key=lambda t: (t.begin, t.end)):
        if tensor.begin != at:
            raise ValueError(f"{shown(tensor.name)}: expected to begin at byte {at:,}")
        at = tensor.end
    if at != size and size is not None:
        raise ValueError(f"expected {at:,} bytes of data, found {size:,}")
    return Header({tensor.name: tensor for tensor in tensors}, metadata)


def dealt(tensors: Sequence[Tensor], rank: int, size: int) -> list[Tensor]:
    """Return the tensors that a rank reads to digest them, which together have all.

    Each rank has about as many bytes of them.
    """
    total = sum(tensor.end - tensor.begin for tensor in tensors)
    return [
        tensor
        for tensor in tensors
        if min((tensor.begin + tensor.end) * size // (2 * total or 1), size - 1) == rank
    ]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a dict of JSON, in which no key may stand twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"found a key twice in {shown([key for key, _ in pairs])}")
    return found


def _tensor(name: str, entry: Any) -> Tensor:
    """Return a tensor from its entry in a header."""
    wanted = {"dtype", "shape", "data_offsets"}
    if not isinstance(entry, dict) or entry.keys() != wanted:
        raise ValueError(f"{shown(name)}: expected {sorted(wanted)}")
    code, shape, offsets = (entry[key] for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(code, str) or code not in DTYPES:
        raise ValueError(
            f"{shown(name)}: expected a dtype of [{', '.join(DTYPES)}], found "
            f"{shown(code)}"
        )
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2:
        raise ValueError(f"{shown(name)}: expected a shape and two offsets")
    tensor = Tensor(name, code, tuple(shape), *offsets)
    if tensor.end - tensor.begin != prod(shape) * tensor.dtype.itemsize:
        raise ValueError(f"{shown(name)}: expected offsets for shape {shown(shape)}")
    return tensor


def _counts(found: Any) -> bool:
    """Return whether this is a list of ints >= 0."""
    return isinstance(found, list) and all(type(n) is int and n >= 0 for n in found)
