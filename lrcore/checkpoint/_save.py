"""Saving an optimizer, its params, and what a user adds, to a file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from lrcore._shared import refusals
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
    opt._refuse_in_step()
    if opt._plan.to_come:
        refusals.unfinished(opt._tree, opt._plan.to_come)
    opt._plan.busy = "this optimizer is being saved; do it after that"
    try:
        encoder = Encoder()
        content = {
            "optimizer": _optimizer(opt, encoder),
            "params": _params(opt, encoder) if with_params else None,
            "extra": encoder.encode(dict(others), "extra", "extra"),
        }
        about = {"step": opt.t, **about}
        metadata = {
            "format": _read.FORMAT,
            "version": str(_read.VERSION),
            **{name: json.dumps(value) for name, value in about.items()},
            "functions": json.dumps(encoder.functions),
            "content": json.dumps(content, allow_nan=False, separators=(",", ":")),
        }
        write(where, encoder.arrays, metadata)
    finally:
        opt._plan.busy = None


def _optimizer(opt: Optimizer, encoder: Encoder) -> dict[str, Any]:
    """Return what ``opt.state_dict()`` has as JSON; its arrays are not copied."""
    plan = opt._plan
    return {
        "version": checkpoint._VERSION,
        "optimizer": type(opt).__name__,
        "t": opt.t,
        "steps": plan.steps,
        "gathered": plan.gathered,
        "gathered_scale": plan.gathered_scale,
        "without_gradient": plan.without_gradient,
        "options": {
            name: encoder.hyper(opt._options[name], name, f"options.{name}")
            for name in options.SAVED
        },
        "param_groups": [
            {
                name: encoder.hyper(
                    value, f"param_groups[{i}]: {name}", f"groups.{i}.{name}"
                )
                for name, value in group.hyper.items()
            }
            for i, group in enumerate(opt.param_groups)
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
