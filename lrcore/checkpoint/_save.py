"""Saving an optimizer, its params, and what a user adds, to a file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from lrcore._shared.domains import FLAG
from lrcore._shared.words import shown
from lrcore.checkpoint import _extra, _read
from lrcore.checkpoint._encode import Encoder
from lrcore.checkpoint._paths import Path, resolved
from lrcore.checkpoint._write import write
from lrcore.optimizers.base import checkpoint, options
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.base.states import saved as saved_arrays


def save(
    opt: Optimizer,
    path: Path,
    *,
    params: bool = True,
    extra: Mapping[str, Any] | None = None,
    **about: Any,
) -> None:
    """Save an optimizer to a file: see ``Optimizer.save``.

    about : texts and numbers for the header, as the step.
    """
    where = resolved(path)
    if not os.path.isdir(os.path.dirname(where)):
        raise FileNotFoundError(
            f"path: found no folder {shown(os.path.dirname(where))}; make it first"
        )
    with_params = FLAG.check("params", params)
    others = _extra.checked(extra)
    lock = opt._plan.lock
    before = lock.changes
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

    def check() -> None:
        lock.check()
        if lock.changes != before:
            raise RuntimeError(
                "this optimizer was stepped or changed while it was saved, so that the "
                "old file stays; save it when no other thread uses it"
            )

    write(where, encoder.arrays, metadata, check)


def _optimizer(opt: Optimizer, encoder: Encoder) -> dict[str, Any]:
    """Return what ``opt.state_dict()`` has as JSON; its arrays are not copied."""
    _, counts, (own, *hypers) = opt._plan.snapshot(
        [], [(opt, "_options"), *((group, "_hyper") for group in opt.param_groups)]
    )
    return {
        "version": checkpoint._VERSION,
        "optimizer": type(opt).__name__,
        **dict(zip(checkpoint._COUNTS, counts, strict=True)),
        "options": {
            name: encoder.hyper(own[name], name, f"options.{name}")
            for name in options.SAVED
        },
        "param_groups": [
            {
                name: encoder.hyper(
                    value, f"param_groups[{i}]: {name}", f"groups.{i}.{name}"
                )
                for name, value in hyper.items()
            }
            for i, hyper in enumerate(hypers)
        ],
        "patterns": [group.pattern for group in opt.param_groups],
        "optimizers": checkpoint._classes(opt),
        "names": [leaf.path for leaf in opt._tree.leaves],
        "state": [
            {
                name: encoder.encode(state[name], name, _dotted("state", leaf, name))
                for name in saved_arrays(state)
            }
            for leaf, state in zip(opt._tree.leaves, opt.state, strict=True)
        ],
    }


def _params(opt: Optimizer, encoder: Encoder) -> list[Any]:
    return [
        encoder.encode(leaf.array, leaf.path, _dotted("params", leaf))
        for leaf in opt._tree.leaves
    ]


def _dotted(first: str, leaf: Any, *more: str) -> str:
    """Return the name of a tensor; a single array has no name of its own."""
    return ".".join(each for each in (first, leaf.name, *more) if each)
