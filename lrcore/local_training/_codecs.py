"""How vectors travel between ranks: as they are, or as fewer bytes."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from lrcore._shared.types import Array
from lrcore._shared.words import shown

BLOCK = 256
"""Elements that `Int8` scales together; vectors are cut between ranks at multiples."""

_LARGEST = 3.4e38  # a little less than float32 has: 127 scales must not overflow
_LARGEST_BF16 = float(np.array([0x7F7F0000], np.uint32).view(np.float32)[0])


@runtime_checkable
class Codec(Protocol):
    """Turns vectors into bytes and back; the rounding is made up for later.

    What a codec loses of a vector is kept, and added to the next one (error feedback),
    so a codec may be crude; but it must be deterministic.  The elements are finite.
    """

    def n_bytes(self, n: int, dtype: np.dtype[Any]) -> int:
        """Return how many bytes n elements take."""

    def encode(self, values: Array) -> Array:
        """Return a vector of float32 or float64 as bytes (``uint8``)."""

    def decode(self, encoded: Array, n: int, dtype: np.dtype[Any]) -> Array:
        """Return n elements of a vector of bytes."""


class Exact:
    """Bytes as they are in memory."""

    def n_bytes(self, n: int, dtype: np.dtype[Any]) -> int:
        """Return n times the size of an element."""
        return n * dtype.itemsize

    def encode(self, values: Array) -> Array:
        """Return the same memory."""
        return values.view(np.uint8)

    def decode(self, encoded: Array, n: int, dtype: np.dtype[Any]) -> Array:
        """Return the same memory."""
        return encoded.view(dtype)


class BFloat16:
    """The upper half of a float32, rounded to the nearest, ties to even: 2 bytes each.

    The relative error is at most 2^-8.  Numbers beyond its range become its largest.

    Examples
    --------
    >>> import numpy as np
    >>> codec = lrcore.local_training.BFloat16()
    >>> encoded = codec.encode(np.array([1.0, 1.01], np.float32))
    >>> encoded.size, codec.decode(encoded, 2, np.dtype(np.float32))
    (4, array([1.       , 1.0078125], dtype=float32))
    """

    def n_bytes(self, n: int, dtype: np.dtype[Any]) -> int:
        """Return 2 n."""
        return 2 * n

    def encode(self, values: Array) -> Array:
        """Return the vector as bytes: see `Codec`."""
        clipped = np.clip(values, -_LARGEST_BF16, _LARGEST_BF16)
        bits = clipped.astype(np.float32).view(np.uint32)
        odd = (bits >> np.uint32(16)) & np.uint32(1)
        rounded = (bits + (np.uint32(0x7FFF) + odd)) >> np.uint32(16)
        return rounded.astype(np.uint16).view(np.uint8)

    def decode(self, encoded: Array, n: int, dtype: np.dtype[Any]) -> Array:
        """Return the vector: see `Codec`."""
        bits = encoded.view(np.uint16).astype(np.uint32) << np.uint32(16)
        return bits.view(np.float32).astype(dtype, copy=False)


class Int8:
    """A byte each, and a float32 for every 256, their scale: 1.016 bytes an element.

    ::

        s = max |x| / 127 over a block;   x' = s round(x / s)

    so the error of an element is at most s / 2 of its block (Dettmers et al.
    2022, "8-bit optimizers via block-wise quantization", section 2.1, with a linear
    map).

    Examples
    --------
    >>> import numpy as np
    >>> codec = lrcore.local_training.Int8()
    >>> encoded = codec.encode(np.array([127.0, 0.6], np.float32))
    >>> encoded.size, codec.decode(encoded, 2, np.dtype(np.float32))
    (6, array([127.,   1.], dtype=float32))
    """

    def n_bytes(self, n: int, dtype: np.dtype[Any]) -> int:
        """Return n and 4 for each block."""
        return n + 4 * -(-n // BLOCK)

    def encode(self, values: Array) -> Array:
        """Return the vector as bytes: see `Codec`."""
        n = values.size
        padded = np.zeros(-(-n // BLOCK) * BLOCK, np.float32)
        padded[:n] = np.clip(values, -_LARGEST, _LARGEST)
        blocks = padded.reshape(-1, BLOCK)
        scales = np.abs(blocks).max(axis=1, initial=0) / np.float32(127)
        by = np.where(scales > 0, scales, np.float32(1))[:, None]
        # A subnormal scale is inexact: the quotient may pass 127.
        levels = np.clip(np.rint(blocks / by), -127, 127).astype(np.int8)
        return np.concatenate(
            [scales.view(np.uint8), levels.reshape(-1)[:n].view(np.uint8)]
        )

    def decode(self, encoded: Array, n: int, dtype: np.dtype[Any]) -> Array:
        """Return the vector: see `Codec`."""
        scales = encoded[: encoded.size - n].copy().view(np.float32)
        levels = encoded[encoded.size - n :].view(np.int8)
        by = np.repeat(scales, BLOCK)[:n]
        return (levels * by).astype(dtype, copy=False)


NAMED: dict[str, type[BFloat16] | type[Int8]] = {"bf16": BFloat16, "int8": Int8}


def chosen(codec: Any) -> Codec:
    """Return the codec that a user means."""
    if codec is None:
        return Exact()
    if isinstance(codec, str) and codec in NAMED:
        return NAMED[codec]()
    if isinstance(codec, Codec) and not isinstance(codec, type):
        return codec
    raise (ValueError if isinstance(codec, str) else TypeError)(
        f"codec: expected None, {', '.join(map(repr, NAMED))} or an object with "
        f"n_bytes, encode and decode, found {shown(codec)}"
    )
