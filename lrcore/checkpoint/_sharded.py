"""Writing a checkpoint by several ranks: each writes the elements that it owns.

The file is the one that a single process would write, so that any number of ranks can
load it, and one process without any.  It takes four meetings:

1. rank 0 makes the file, with its header, which tells all ranks where the tensors are;
2. each rank writes its own elements there, and waits until they are on the disk;
3. each rank digests some of the tensors, which it reads again;
4. rank 0 adds the digests, and gives the file its name.

An error of one rank is raised on all, and the old file stays, as it does if a rank is
killed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from io import FileIO
from typing import Any, NamedTuple

import numpy as np

from lrcore._shared.arrays import bare
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.checkpoint import _digests, _durable, _layout
from lrcore.checkpoint._encode import Encoder
from lrcore.checkpoint._layout import Header, Tensor
from lrcore.optimizers.base import alike
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.base.sharded import flat


class Stand(NamedTuple):
    """What a tensor is of: array i of params, or its state of this name."""

    i: int
    state: str | None


def stands(
    opt: Optimizer, states: Sequence[Mapping[str, Array]], encoder: Encoder
) -> dict[str, Stand]:
    """Return what the tensors are of, whose elements several ranks have.

    states : the arrays that have been encoded as states.
    """
    ranks = opt._plan.ranks
    found = {}
    for i, (leaf, likes) in enumerate(zip(opt._tree.leaves, states, strict=True)):
        mine = {n: a for n, a in likes.items() if n not in ranks.numbers[i]}
        for state, array in ((None, leaf.array), *mine.items()):
            name = encoder.name_of(array)
            if name is not None:
                found[name] = Stand(i, state)
    return found


def write(
    opt: Optimizer,
    path: str,
    arrays: Mapping[str, Array],
    stands: Mapping[str, Stand],
    metadata: Mapping[str, str],
    check: Callable[[], None],
) -> None:
    """Write a file together with the other ranks, whole or not at all.

    arrays : the tensors by name; those of `stands` count by their dtype and shape only.
    check : called when all is written; if it raises an error, the old file stays.
    """
    comm = opt._plan.ranks.comm
    with ExitStack() as unfinished:
        new: FileIO | None = None

        def begin() -> list[str]:
            nonlocal new
            if comm.rank > 0:
                return []
            new = unfinished.enter_context(_durable.replacing(path))
            head = _head(arrays, metadata)
            _write_all(new, memoryview(head))
            return [str(new.name), head.decode("latin-1")]

        told = alike.together(comm, "begin of save", lambda: [path, *begin()])
        _one_path([each[0] for each in told])
        _, name, text = told[0]
        head = text.encode("latin-1")
        start, header = len(head), _layout.parsed(head[8:], None)

        def put() -> None:
            own = _own(opt, arrays, stands, header)
            try:
                with FileIO(name, "r+") as file:
                    for tensor, at, array in own:
                        _put(file, start + tensor.begin, at, array, tensor.dtype)
                    os.fsync(file.fileno())
            except OSError:
                for _ in own:  # the others still gather states of this rank
                    pass
                raise

        alike.together(comm, "data of save", put)
        tensors = _in_order(header)
        of_header = _digests.of_header(head)

        def digest() -> list[str]:
            with FileIO(name) as file:
                return [
                    _digest(file, start, of_header, tensor).hex()
                    for tensor in _layout.dealt(tensors, comm.rank, comm.size)
                ]

        rows = [
            bytes.fromhex(row)
            for each in alike.together(comm, "digests of save", digest)
            for row in each
        ]

        def end() -> None:
            if new is not None:
                new.seek(start + header.tensors[_layout.DIGESTS].begin)
                _write_all(new, memoryview(b"".join([*rows, of_header])))
                check()
                unfinished.close()  # it takes its name

        alike.together(comm, "end of save", end)


def _one_path(paths: Sequence[str]) -> None:
    """Refuse ranks that would save to different files."""
    for rank, path in enumerate(paths):
        if path != paths[0]:
            raise ValueError(
                "path: expected the same on every rank, as all write one file, found "
                f"{shown(path)} on rank {rank} and {shown(paths[0])} on rank 0"
            )


def _head(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> bytes:
    """Return the bytes before the data."""
    kinds = [
        (name, _layout.code_of(a.dtype) or "", a.shape) for name, a in arrays.items()
    ]
    tensors = _layout.placed(kinds)
    return _layout.header([*tensors, _layout.digests_after(tensors)], metadata)


def _in_order(header: Header) -> list[Tensor]:
    """Return the tensors in the order of the data, without the digests."""
    found = sorted(header.tensors.values(), key=lambda t: (t.begin, t.end))
    return [tensor for tensor in found if tensor.name != _layout.DIGESTS]


def _own(
    opt: Optimizer,
    arrays: Mapping[str, Array],
    stands: Mapping[str, Stand],
    header: Header,
) -> Iterator[tuple[Tensor, int, Array]]:
    """Yield what this rank writes: a tensor, the first element in it, the elements.

    Where the elements in the order of memory are not those of the file, rank 0 writes
    all of them.
    """
    ranks = opt._plan.ranks
    first = ranks.comm.rank == 0
    for name, array in arrays.items():
        tensor, stand = header.tensors[name], stands.get(name)
        if stand is None or array.size == 0:
            if first:
                yield tensor, 0, array
            continue
        i, state = stand
        p, (begin, end) = bare(opt._tree.leaves[i].array), ranks.owned[i]
        own = p if state is None else opt.state[i][state]
        if state is not None and ranks.shards.whole[i]:
            if begin < end:
                yield tensor, 0, own
        elif p.flags.c_contiguous:
            yield tensor, begin, flat(own)[begin:end] if state is None else flat(own)
        else:
            whole = own if state is None else ranks.gathered(i, state, own, p)
            if first:
                yield tensor, 0, whole


def _put(file: FileIO, begin: int, at: int, array: Array, dtype: np.dtype[Any]) -> None:
    """Write elements of a tensor whose data begins at a byte of the file."""
    in_order = np.ascontiguousarray(array, dtype).reshape(-1).view(np.uint8)
    file.seek(begin + at * dtype.itemsize)
    _write_all(file, in_order.data)


def _write_all(file: FileIO, rest: memoryview) -> None:
    while rest:
        rest = rest[file.write(rest) :]


def _digest(file: FileIO, start: int, of_header: bytes, tensor: Tensor) -> bytes:
    """Return the digest of a tensor in a file."""
    found = _digests.begun(of_header, tensor)
    file.seek(start + tensor.begin)
    left = tensor.end - tensor.begin
    while left > 0:
        part = file.read(min(left, _digests.CHUNK))
        if not part:
            raise OSError(f"{tensor.name} is cut short in the file that was written")
        found.update(part)
        left -= len(part)
    digest: bytes = found.digest()
    return digest
