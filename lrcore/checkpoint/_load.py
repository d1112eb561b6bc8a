"""Loading a file into an optimizer: all is checked before anything is changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from lrcore._core import Commit
from lrcore._shared import arrays, containers, trees
from lrcore._shared.domains import FLAG
from lrcore._shared.trees import Place
from lrcore._shared.types import Array
from lrcore._shared.words import listed, shown
from lrcore.checkpoint import _extra
from lrcore.checkpoint._decode import Decoder
from lrcore.checkpoint._paths import Path, resolved
from lrcore.checkpoint._read import DamagedError, Opened
from lrcore.optimizers.base import alike, checkpoint, matching, saving, sharded_states
from lrcore.optimizers.base.matching import Match
from lrcore.optimizers.base.on_disk import Restored
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.base.saved import MATCH, SOURCE
from lrcore.optimizers.base.saved_dict import Source
from lrcore.optimizers.base.saved_states import is_finite


def load(
    opt: Optimizer,
    path: Path,
    *,
    params: bool,
    extra: Mapping[str, Any] | None,
    strict: bool,
    match: Match,
    hyper: Source,
    dtype: str,
) -> Restored:
    """Load a file into an optimizer: see ``Optimizer.load``."""
    ranks = opt._plan.ranks
    agreement = nullcontext() if ranks is None else alike.Agreement(ranks.comm, "load")
    with agreement as agreed:  # an error of one rank is that of all
        with_params, strict = FLAG.check("params", params), FLAG.check("strict", strict)
        match, hyper = MATCH.check("match", match), SOURCE.check("hyper", hyper)
        dtype = _extra.DTYPE.check("dtype", dtype)
        given = _extra.checked(extra)
        saving.settle(opt, resolved(path))
        lock = opt._plan.lock
        if not lock.torn:  # by a fork, which loading repairs
            lock.check()
        commit = Commit(lock, unchanged=True)
        with opened(path) as file:
            _verify(file, ranks, agreed)
            content = contents(file)
            saved, missing = _optimizer(opt, content, file)
            sources, _ = matching.sources(opt, saved, match)
            if strict and match == "place":
                containers.names(saved["names"], opt._tree)
            if hyper == "saved":
                _refuse_missing(missing, "construct the optimizer with them")
            like = opt.state if ranks is None else sharded_states.likes(opt)
            _fit_states(opt, saved["state"], sources, dtype, like)
            new = []
            if with_params:
                new = _new_params(opt, content["params"], sources, file, dtype)
            diverged = _nonfinite(opt, new)
            decoder, mapped = (
                Decoder(one, content) for one in (file.array, file.mapped)
            )
            others = _extra.Loading(content["extra"], given, decoder, mapped, dtype)
            _refuse_missing(
                decoder.missing + mapped.missing,
                "give the objects: extra={name: object}",
            )

            try:
                others.load_objects()
                told = checkpoint.add(
                    opt,
                    commit,
                    saved,
                    strict=strict,
                    match=match,
                    hyper=hyper,
                    unshared=True,
                )
                for own, array in new:
                    commit.copy(own, array)
                others.add_to(commit)
                if agreed is not None:
                    header = {f"the file {shown(file.path)}": file.of_header.hex()}
                    alike.same(agreed.results(header))
                commit.make()
            except BaseException:
                others.undo()
                raise
            others.finish()
            step, metric = file.number("step"), file.number("metric")
            return Restored(
                *(file.path, step, metric, others.values, *told.loaded, told.replaced),
                [*map(str, told.nonfinite), *diverged],
            )


def _verify(file: Opened, ranks: Any, agreement: alike.Agreement | None) -> None:
    """Compare the digests of all tensors; of several ranks, each has a part of them.

    Raises
    ------
    DamagedError
        A tensor has another digest: on every rank, in the same words.
    """
    if agreement is None:
        file.verify()
        return
    damage = None
    try:
        file.verify(ranks.comm.rank, ranks.comm.size)
    except DamagedError as error:
        damage = error
    found = agreement.midway(None if damage is None else str(damage))
    first = next((words for words in found if words is not None), None)
    if first is not None:
        raise DamagedError(first) from damage


def opened(path: Any) -> Opened:
    """Open the checkpoint at a path.

    Raises
    ------
    TypeError, ValueError, OSError
        It is no path, there is no file, or it is no checkpoint of lrcore.
    """
    file = Opened(resolved(path))
    if not file.own:
        file.__exit__()
        raise ValueError(
            f"path: expected a file of opt.save(), found {shown(file.path)}, a file of "
            "safetensors without an optimizer; lrcore.checkpoint.read(path).params are "
            "its arrays"
        )
    return file


def contents(file: Opened) -> dict[str, Any]:
    """Return the JSON of what is in a file."""
    found: dict[str, Any] = json.loads(file.header.metadata["content"])
    match found:
        case {
            "optimizer": {
                "options": dict(),
                "param_groups": [*groups],
                "state": [*states],
                "names": [*names],
            },
            "params": None | [*_],
            "extra": dict(),
        } if all(isinstance(each, dict) for each in (*groups, *states)):
            if len(names) == len(states) == len(found["params"] or states):
                return found
    raise DamagedError(f"content: found {shown(found)}, which no save writes")


def _optimizer(
    opt: Optimizer, content: dict[str, Any], file: Opened
) -> tuple[dict[str, Any], list[str]]:
    """Return what ``opt.state_dict()`` returned, and the functions that are missing."""
    decoder = Decoder(file.mapped, content)
    content = content["optimizer"]
    groups = content["param_groups"]
    saved = {
        name: decoder.decode(value, name)
        for name, value in content.items()
        if name not in ("options", "param_groups")
    }
    own = {k: opt.param_groups[i].hyper for i, k in matching.pairs(opt, content, False)}
    saved["options"] = {
        name: decoder.hyper(value, name, opt._options.get(name))
        for name, value in content["options"].items()
    }
    saved["param_groups"] = [{} for _ in groups]
    for k, mine in own.items():
        saved["param_groups"][k] = {
            name: decoder.hyper(value, f"param_groups[{k}]: {name}", mine.get(name))
            for name, value in groups[k].items()
        }
    return saved, decoder.missing


def _refuse_missing(missing: Sequence[str], remedy: str) -> None:
    if missing:
        raise ValueError(
            f"{missing[0].partition(':')[0]}: the file has only the name of a "
            f"function or an object: {listed(missing, str)}; {remedy}"
        )


def _fit_states(
    opt: Optimizer,
    saved: list[Any],
    sources: Sequence[int | None],
    dtype: str,
    like: Sequence[Mapping[str, Array]],
) -> None:
    """Convert the states where that is asked for; refuse those of another dtype.

    like : has the dtype and the shape of each state.
    """
    for leaf, own, k in zip(opt._tree.leaves, like, sources, strict=True):
        if k is not None and isinstance(saved[k], dict):
            name = Place("state of params", leaf)
            saved[k] = {
                n: _extra.fitted(name._replace(then=f": {n}"), a, own[n], dtype)
                if n in own
                else a
                for n, a in saved[k].items()
            }


def _new_params(
    opt: Optimizer,
    saved: list[Any] | None,
    sources: Sequence[int | None],
    file: Opened,
    dtype: str,
) -> list[tuple[Array, Array]]:
    """Return each of our params with its saved values, after all checks."""
    if saved is None:
        raise ValueError(
            f"params: found none in {shown(file.path)}, which was saved with "
            "params=False; load them yourself, and pass params=False"
        )
    decoder = Decoder(file.mapped, None)
    pairs = []
    for leaf, k in zip(opt._tree.leaves, sources, strict=True):
        name = Place("params", leaf)
        if leaf.node >= 0:
            container = opt._tree.nodes[leaf.node].container
            there = trees.get(container, leaf.key, containers.MISSING)
            containers.rebound(name, there, leaf.array)
        arrays.writable(name, leaf.array)
        if k is not None:
            own = arrays.bare(leaf.array)
            array = _extra.fitted(name, decoder.decode(saved[k], ""), own, dtype)
            if array.strides != own.strides:  # the file has C order
                array = array.copy("F")
            pairs.append((leaf.array, array))
    return pairs


def _nonfinite(opt: Optimizer, new: Sequence[tuple[Array, Array]]) -> list[str]:
    """Return the names of params whose saved values have NaN or infinity."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = {id(own) for own, array in new if not is_finite(array)}
    leaves = [leaf for leaf in opt._tree.leaves if id(leaf.array) in found]
    return [str(Place("params", leaf)) for leaf in leaves]
