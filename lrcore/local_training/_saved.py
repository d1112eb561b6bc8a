"""The state of a `LocalSGD` as a dict: saved, and loaded again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lrcore._core import Commit
from lrcore._shared import arrays, containers
from lrcore._shared.domains import whole
from lrcore._shared.types import Array
from lrcore._shared.words import shown
from lrcore._stateful import counted
from lrcore.local_training._rounds import Rounds

_ENTRIES = (
    "every", "rounds", "since", "ranks", "names", "start", "errors", "outer"
)  # fmt: skip


def save(rounds: Rounds) -> dict[str, Any]:
    """Return what `load` takes, of a `LocalSGD`: copies."""
    shared = rounds.shared
    return {
        "every": rounds.every,
        "rounds": rounds.count,
        "since": rounds.since,
        "ranks": rounds.comm.size,
        "names": [leaf.path for leaf in shared.tree.leaves],
        "start": [q.copy(order="K") for q in shared.arrays],
        "errors": [each.copy() for each in _errors(rounds)],
        "outer": shared.outer.state_dict(),
    }


def load(rounds: Rounds, saved: Mapping[str, Any]) -> None:
    """Let a `LocalSGD` continue from what `save` has returned, after a check of it."""
    if not isinstance(saved, Mapping) or saved.keys() != {*_ENTRIES}:
        raise ValueError(f"saved: expected {list(_ENTRIES)}, found {shown(saved)}")
    counts = {name: counted(name, saved[name]) for name in ("rounds", "since")}
    ranks = whole("ranks", saved["ranks"], "an int >= 1", least=1)
    whole("every", saved["every"], "an int >= 1", least=1)
    shared, commit = rounds.shared, Commit()
    containers.names(saved["names"], shared.tree)
    _add_arrays(commit, "start", saved["start"], shared.arrays)
    own, errors = _errors(rounds), containers.entries("errors", saved["errors"])
    if ranks != rounds.comm.size and len(errors) == len(own):
        # Each rank has another part of the mean now.
        errors[1::2] = [np.zeros_like(each) for each in own[1::2]]
    _add_arrays(commit, "errors", errors, own)
    commit.set(rounds, "count", counts["rounds"])
    commit.set(rounds, "since", counts["since"])
    commit.set(rounds, "unlike", True)
    # The arrays of `start` are the params of the outer optimizer.
    shared.outer.load_state_dict(saved["outer"])
    commit.make()


def _errors(rounds: Rounds) -> list[Array]:
    return [e for m in rounds.means.values() for e in (m.error, m.error_of_mean)]


def _add_arrays(commit: Commit, name: str, found: Any, own: Sequence[Array]) -> None:
    """Let a commit set arrays to saved ones."""
    found = containers.entries(name, found)
    if len(found) != len(own):
        raise ValueError(f"{name}: expected {len(own)} arrays, found {len(found)}")
    for i, (new, old) in enumerate(zip(found, own, strict=True)):
        arrays.state(f"{name}[{i}]", new, old)
        like = np.empty_like(old)
        like[...] = arrays.bare(new)
        commit.copy(old, like)
