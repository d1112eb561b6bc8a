"""The digests of a file: SHA-256 of its header, and of each tensor.

It takes 0.9 s a GB on a processor with instructions for it, where BLAKE2b takes 1.6 s
and CRC-32 0.3 s.  One of 2^32 damages passes a checksum such as CRC-32, and the sum of
the wrong tensor is as good as any other.
"""

from __future__ import annotations

import hashlib
from typing import Any

from lrcore.checkpoint._layout import Tensor

Digest = Any
"""An object of hashlib, which releases the GIL in `update`."""


def of_header(head: bytes) -> bytes:
    """Return the digest of all bytes before the data."""
    return hashlib.sha256(head).digest()


def begun(header: bytes, tensor: Tensor) -> Digest:
    """Return the digest of a tensor, before its data.

    header : the digest of the header, which has the name, dtype, shape and place of all
        tensors.  So neither two tensors nor those of two files can be exchanged.
    """
    return hashlib.sha256(header + repr(tuple(tensor)).encode())
