"""Saving an optimizer, its params, and what a user adds, to a file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lrcore._shared.domains import FLAG
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore.checkpoint import _extra, _read
from lrcore.checkpoint._encode import Encoder
from lrcore.checkpoint._paths import Path, resolved
from lrcore.checkpoint._snapshot import Snapshot, reserve
from lrcore.checkpoint._write import write
from lrcore.optimizers.base import checkpoint, saved_dict, saving
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.base.saving import Saving
from lrcore.optimizers.base.states import saved as saved_arrays


class _Content(NamedTuple):
    """What goes into a file.

    arrays : those of the optimizer and the user themselves, by name.
    changes : the optimizer's number of changes when the rest was read.
    """

    path: str
    arrays: dict[str, Array]
    metadata: dict[str, str]
    changes: int


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
    content = _content(opt, path, params, extra, about)
    lock = opt._plan.lock

    def check() -> None:
        lock.check()
        if lock.changes != content.changes:
            raise RuntimeError(
                "this optimizer was stepped or changed while it was saved, so that the "
                "old file stays; save it when no other thread uses it"
            )

    write(content.path, content.arrays, content.metadata, check)


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
    content = {
        "optimizer": _optimizer(opt, encoder),
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
    return _Content(where, encoder.arrays, metadata, changes)


def _optimizer(opt: Optimizer, encoder: Encoder) -> dict[str, Any]:
    """Return what ``opt.state_dict()`` has as JSON; its arrays are not copied."""
    _, counts, (own, *hypers) = opt._plan.snapshot([], checkpoint.attributes(opt))
    return saved_dict.entries(
        opt,
        counts,
        {
            name: encoder.hyper(value, name, f"options.{name}")
            for name, value in saved_dict.options_to_save(own).items()
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
            for leaf, state in zip(opt._tree.leaves, opt.state, strict=True)
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
