"""What has to be alike on all ranks, and the errors where it is not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from lrcore._shared.arrays import bare
from lrcore._shared.words import listed, shortened, shown
from lrcore.distributed import Comm, _words
from lrcore.distributed._agreement import Agreement, together
from lrcore.distributed._heads import outliers
from lrcore.optimizers.base.values import scheduled

__all__ = [
    "Agreement", "construction", "digest", "refuse", "refuse_others", "same",
    "settings", "together",
]  # fmt: skip

_OWN = frozenset({"accumulate", "comm", "convert_grads", "num_threads", "zero_grads"})
"""The options that each rank may have for itself."""

_VALUES = "values of "
"""How the name of what an array holds begins."""


def construction(opt: Any) -> dict[str, str]:
    """Return what an optimizer is made of, in words, with digests of its params."""
    told = {"optimizer": type(opt).__name__, **settings(opt)}
    paths = [leaf.path for leaf in opt._tree.leaves]
    told["arrays"] = listed(paths, lambda path: f"params{path}")
    for leaf in opt._tree.leaves:
        p = bare(leaf.array)
        order = "C" if p.flags.c_contiguous else "Fortran"
        told[f"params{leaf.path}"] = f"{p.dtype} of shape {p.shape} in {order} order"
        digest = hashlib.sha256(p.reshape(-1, order="A").view(np.uint8).data)
        told[f"{_VALUES}params{leaf.path}"] = digest.hexdigest()
    return told


def settings(opt: Any) -> dict[str, str]:
    """Return the options and hyper-parameters in words."""
    told = {
        name: _text(value) for name, value in opt._options.items() if name not in _OWN
    }
    for k, group in enumerate(opt.param_groups):
        told[f"optimizer of param_groups[{k}]"] = group.optimizer.__name__
        for name, value in group.hyper.items():
            told[f"param_groups[{k}]: {name}"] = _text(value)
    return told


def digest(told: Mapping[str, str]) -> str:
    """Return a short text that differs where anything that is told does."""
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def refuse_others(comm: Comm, told: Mapping[str, str]) -> NoReturn:
    """Raise the error for the first difference, on every rank, naming the rank.

    All ranks call this, which do not tell the same.
    """
    _differ(_words.of_all(comm, dict(told)))


def same(told: Sequence[Mapping[str, str]]) -> None:
    """Refuse ranks that do not tell the same."""
    if any(each != told[0] for each in told):
        _differ(told)


def refuse(found: Sequence[Sequence[Any]]) -> NoReturn:
    """Raise the error of a step that not all ranks can take, on every rank.

    found : of each rank, its error in words, or None; the numbers of the step, by name;
        whether each array has a gradient, empty if the rank has none at all.
    """
    for rank, (theirs, *_) in enumerate(found):
        if theirs is not None:
            raise RuntimeError(f"rank {rank} cannot step, and no rank does: {theirs}")
    for path in dict.fromkeys(path for _, _, each in found for path in each):
        has = [each.get(path, True) for _, _, each in found]
        if any(each.get(path) for _, _, each in found) and not all(has):
            ranks = [rank for rank, there in enumerate(has) if not there]
            raise ValueError(
                f"grads{path}: expected a gradient on every rank, or None on all, "
                f"found None on rank {listed(ranks, str)}; pass zeros there, which "
                "count in the mean"
            )
    _differ([numbers for _, numbers, _ in found])


def _differ(told: Sequence[Mapping[str, str]]) -> NoReturn:
    """Raise the error for the first difference of what ranks tell."""
    for name in dict.fromkeys(name for each in told for name in each):
        found = [each.get(name, "none") for each in told]
        odd, other = outliers(found)
        if not odd:
            continue
        ranks, most = listed(odd, str), found[other]
        if name.startswith(_VALUES):
            raise ValueError(
                f"{name.removeprefix(_VALUES)}: expected the same values on every "
                f"rank, found others on rank {ranks} than on rank {other}; make them "
                "from the same seed, or load the same file"
            )
        raise ValueError(
            f"{name}: expected the same on every rank, found {found[odd[0]]} on rank "
            f"{ranks} and {most} on rank {other}"
        )
    raise ValueError(
        "comm: expected the same numbers in the step of every rank, found others, "
        "though options and hyper-parameters look alike; a function that is one may "
        "return another value on each rank"
    )


def _text(value: Any) -> str:
    """Return a value in words that are the same on each rank."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))})"
    if scheduled(value) and not hasattr(value, "to_dict"):
        name = getattr(value, "__qualname__", type(value).__name__)
        return shortened(f"{getattr(value, '__module__', '')}.{name}")
    return shown(value)
