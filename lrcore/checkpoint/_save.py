"""Saving an optimizer, its params, and what a user adds, to a file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lrcore._shared.domains import FLAG
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.checkpoint import _extra, _read, _sharded
from lrcore.checkpoint._encode import Encoder
from lrcore.checkpoint._paths import Path, resolved
from lrcore.checkpoint._snapshot import Snapshot, reserve
from lrcore.checkpoint._write import write
from lrcore.optimizers.base import (
    alike,
    checkpoint,
    saved_dict,
    saving,
    sharded_states,
)
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.base.saving import Saving
from lrcore.optimizers.base.states import saved as saved_arrays


class _Content(NamedTuple):
    """What goes into a file.

    arrays : those of the optimizer and the user themselves, by name.
    changes : the optimizer's number of changes when the rest was read.
    stands : what the tensors are of, of which each of several ranks has a part.
    """

    path: str
    arrays: dict[str, Array]
    metadata: dict[str, str]
    changes: int
    stands: dict[str, _sharded.Stand]


def save(
    opt: Optimizer,
    path: Path,
    params: bool,
    extra: Mapping[str, Any] | None,
    **about: Any,
) -> None:
    """Save an optimizer to a file: see ``Optimizer.save``.

    about : texts and numbers for the header, as the step.
    """
    content = _agreed_content(opt, path, params, extra, about)
    lock = opt._plan.lock

    def check() -> None:
        lock.check()
        if lock.changes != content.changes:
            raise RuntimeError(
                "this optimizer was stepped or changed while it was saved, so that the "
                "old file stays; save it when no other thread uses it"
            )

    if opt._plan.ranks is None:
        write(content.path, content.arrays, content.metadata, check)
    else:
        _sharded.write(
            *(opt, content.path, content.arrays, content.stands),
            *(content.metadata, check),
        )


def save_async(
    opt: Optimizer,
    path: Path,
    params: bool,
    extra: Mapping[str, Any] | None,
    then: Callable[[], None] = lambda: None,
    **about: Any,
) -> Saving:
    """Save an optimizer to a file in the background: see ``Optimizer.save_async``.

    then : called when the file is on the disk.
    """
    if opt._plan.ranks is not None:
        raise ValueError(
            "save_async: expected an optimizer without comm, found one with it, whose "
            "ranks cannot meet in the background; use opt.save(path) on every rank"
        )
    content = _content(opt, path, params, extra, about)
    snapshot = Snapshot(opt, content.arrays, content.changes)
    content.arrays.clear()  # the thread shall not keep the arrays themselves

    def work() -> None:
        try:
            write(content.path, snapshot.arrays, content.metadata)
            then()
        finally:
            snapshot.release()

    begun = Saving(opt, content.path, work)
    begun.begin()
    return begun


def prepare(opt: Optimizer, params: Any, extra: Any) -> None:
    """Get the memory for the copy that the first `save_async` makes.

    Raises
    ------
    TypeError, ValueError
        An argument cannot be saved.
    MemoryError
        There is no memory for it.
    """
    encoder = Encoder()
    encoder.encode(dict(_extra.checked(extra)), "extra", "extra")
    arrays = [*encoder.arrays.values()]
    if FLAG.check("params", params):
        arrays += [leaf.array for leaf in opt._tree.leaves]
    for state in opt.state:
        arrays += [state[name] for name in saved_arrays(state)]
    reserve(opt, arrays)


def _agreed_content(
    opt: Optimizer, path: Path, params: Any, extra: Any, about: dict[str, Any]
) -> _Content:
    """Return what is to be saved; an error of one rank is raised on all."""
    ranks = opt._plan.ranks
    if ranks is None:
        return _content(opt, path, params, extra, about)
    found: list[_Content] = []
    others = extra if ranks.comm.rank == 0 else None

    def make() -> None:
        ranks.check_saved()
        found.append(_content(opt, path, params, others, about))

    alike.together(ranks.comm, "save", make)
    return found[0]


def _content(
    opt: Optimizer, path: Path, params: Any, extra: Any, about: dict[str, Any]
) -> _Content:
    """Return what is to be saved, after all checks, and when earlier saves are over."""
    where = resolved(path)
    if not os.path.isdir(os.path.dirname(where)):
        raise FileNotFoundError(
            f"path: found no folder {shown(os.path.dirname(where))}; make it first"
        )
    with_params = FLAG.check("params", params)
    others = _extra.checked(extra)
    saving.settle(opt, where)
    changes = opt._plan.lock.changes
    encoder = Encoder()
    ranks = opt._plan.ranks
    states = opt.state if ranks is None else sharded_states.likes(opt)
    content = {
        "optimizer": _optimizer(opt, states, encoder),
        "params": _params(opt, encoder) if with_params else None,
        "extra": encoder.encode(dict(others), "extra", "extra"),
    }
    about = {"step": content["optimizer"]["t"], **about}
    metadata = {
        "format": _read.FORMAT,
        "version": str(_read.VERSION),
        **{name: json.dumps(value) for name, value in about.items()},
        "functions": json.dumps(encoder.functions),
        "content": json.dumps(content, allow_nan=False, separators=(",", ":")),
    }
    stands = {} if ranks is None else _sharded.stands(opt, states, encoder)
    return _Content(where, encoder.arrays, metadata, changes, stands)


def _optimizer(
    opt: Optimizer, states: Sequence[Mapping[str, Array]], encoder: Encoder
) -> dict[str, Any]:
    """Return what ``opt.state_dict()`` has as JSON; its arrays are not copied.

    states : the arrays of each parameter.
    """
    _, counts, (own, *hypers) = opt._plan.snapshot([], checkpoint.attributes(opt))
    return saved_dict.entries(
        opt,
        counts,
        {
            name: encoder.hyper(value, name, f"options.{name}")
            for name, value in saved_dict.options_to_save(opt, own).items()
        },
        [
            {
                name: encoder.hyper(
                    value, f"param_groups[{i}]: {name}", f"groups.{i}.{name}"
                )
                for name, value in hyper.items()
            }
            for i, hyper in enumerate(hypers)
        ],
        [
            {
                name: encoder.encode(state[name], name, _dotted("state", leaf, name))
                for name in saved_arrays(state)
            }
            for leaf, state in zip(opt._tree.leaves, states, strict=True)
        ],
    )


def _params(opt: Optimizer, encoder: Encoder) -> list[Any]:
    return [
        encoder.encode(leaf.array, leaf.path, _dotted("params", leaf))
        for leaf in opt._tree.leaves
    ]


def _dotted(first: str, leaf: Any, *more: str) -> str:
    """Return the name of a tensor; a single array has no name of its own."""
    return ".".join(each for each in (first, leaf.name, *more) if each)
