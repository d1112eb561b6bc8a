"""Saving an optimizer as a dict, and restoring it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from lrcore._core import Commit, Counts
from lrcore._shared import arrays, containers
from lrcore._shared.domains import FLAG, POSITIVE, whole
from lrcore._shared.trees import Place
from lrcore._shared.words import listed, named, shortened, shown
from lrcore.optimizers.base import matching, options, saved_states, stateful
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.matching import Loaded, Match
from lrcore.optimizers.base.planned import Planned
from lrcore.optimizers.base.saved_states import States, keys
from lrcore.optimizers.base.states import saved as saved_arrays
from lrcore.optimizers.base.values import scheduled

_VERSION = 1
"""The version of the dict's layout."""

_NEEDED = (
    *("version", "optimizer", "t", "gathered", "options", "param_groups", "names"),
    "state",
)
"""The entries without which a dict is refused."""

_COUNTS = (
    *("t", "steps", "gathered", "gathered_scale", "gathered_skips"),
    "without_gradient",
)
"""The entries that a plan counts."""

Source = Literal["saved", "mine"]
"""The source of the hyper-parameters and options after loading."""


class _Checked(NamedTuple):
    """The contents of a saved dict, after all checks."""

    counts: Counts
    options: Hyper
    groups: dict[int, Hyper]
    states: States
    nonfinite: list[Place]
    loaded: Loaded


class Told(NamedTuple):
    """What a load tells.

    loaded : the arrays without a match.
    replaced : a text for each schedule that was replaced.
    nonfinite : the saved states that have NaN or infinity.
    """

    loaded: Loaded
    replaced: list[str]
    nonfinite: list[Place]


def warnings_about(replaced: Sequence[str], nonfinite: Sequence[object]) -> list[str]:
    """Return the warnings of a load.

    nonfinite : the names of arrays.
    """
    warnings = []
    if replaced:
        warnings.append(
            f"{'; '.join(replaced)}.  With hyper='mine' the schedules stay as they are"
        )
    if nonfinite:
        warnings.append(
            f"found NaN or infinity in {listed(nonfinite, str)}: the run had diverged "
            "when it was saved.  All is loaded as it was; more steps do not mend it"
        )
    return warnings


def save(opt: Planned) -> dict[str, Any]:
    """Return copies of everything that later steps depend on, except the params."""
    copies, counts, (all_options, *hypers) = opt._plan.snapshot(
        [state[name] for state in opt.state for name in saved_arrays(state)],
        attributes(opt),
    )
    own = {name: all_options[name] for name in options.SAVED}
    own, *groups = stateful.copied([own, *hypers])
    copied = iter(copies)
    states = [
        {name: next(copied) for name in saved_arrays(state)} for state in opt.state
    ]
    return entries(opt, counts, own, groups, states)


def attributes(opt: Planned) -> list[tuple[Any, str]]:
    """Return what ``Plan.snapshot`` is to read: options, hyper-parameters by group."""
    return [(opt, "_options"), *((group, "_hyper") for group in opt.param_groups)]


def entries(
    opt: Planned,
    counts: Sequence[Any],
    own_options: Mapping[str, Any],
    groups: list[Any],
    states: list[Any],
) -> dict[str, Any]:
    """Return the entries of a saved optimizer: values, or what a file has for them.

    counts : those of ``Plan.snapshot``.
    """
    return {
        "version": _VERSION,
        "optimizer": type(opt).__name__,
        **dict(zip(_COUNTS, counts, strict=True)),
        "options": own_options,
        "param_groups": groups,
        "patterns": [group.pattern for group in opt.param_groups],
        "optimizers": _classes(opt),
        "names": [leaf.path for leaf in opt._tree.leaves],
        "state": states,
    }


def load(
    opt: Planned,
    saved: Mapping[str, Any],
    *,
    strict: bool = True,
    match: Match = "place",
    hyper: Source = "saved",
) -> Told:
    """Let an optimizer continue from a saved state."""
    commit = Commit(opt._plan.lock, unchanged=True)
    told = add(opt, commit, saved, strict=strict, match=match, hyper=hyper)
    commit.make()
    return told


def add(
    opt: Planned,
    commit: Commit,
    saved: Mapping[str, Any],
    *,
    strict: bool,
    match: Match,
    hyper: Source,
    unshared: bool = False,
) -> Told:
    """Check a saved state, and add all that `load` changes to a commit.

    unshared : whether no saved array shares memory with another one or an own one.
    """
    if not opt._plan.lock.torn:  # by a fork, which loading repairs
        opt._plan.lock.check()
    found = _checked(opt, saved, strict, match, hyper)
    replaced = _replaced_schedules(opt, found.groups)
    mine, *each = _sets(opt)
    (own, *hypers), takes = stateful.inherited(
        [mine, *(each[i] for i in found.groups)],
        [found.options, *found.groups.values()],
    )

    commit.keep(opt, "_options")
    opt._add_options(commit, {**opt._options, **own})
    for own_schedule, new_schedule in takes:
        own_schedule._take(new_schedule, commit)
    commit.give(opt._plan, counts=found.counts)
    for i, new_hyper in zip(found.groups, hypers, strict=True):
        opt.param_groups[i].add_to(commit, new_hyper)
    for state, new in zip(opt.state, found.states, strict=True):
        for name, array in new.items():
            like = array = arrays.bare(array)
            if not unshared or array.strides != state[name].strides:
                like = np.empty_like(state[name], subok=False)
                like[...] = array
            commit.copy(state[name], like)
    return Told(found.loaded, replaced, found.nonfinite)


def _replaced_schedules(opt: Planned, groups: Mapping[int, Hyper]) -> list[str]:
    """Return a text for each schedule that is replaced, and number that becomes one.

    A stateful schedule is not replaced: it takes the state of the saved one.  A number
    that is a default was not asked for.
    """
    told = []
    for i, new in groups.items():
        for name, mine in opt.param_groups[i].hyper.items():
            theirs = new[name]
            field = opt.param_groups[i].optimizer._fields[name]
            default = mine in (field.default, *field.presets.values())
            if (scheduled(mine) or (scheduled(theirs) and not default)) and (
                stateful.fixed(mine) != stateful.fixed(theirs)
            ):
                told.append(
                    f"param_groups[{i}]: {name}: {shown(theirs)} takes the place of "
                    f"{shown(mine)}"
                )
    return told


def _sets(opt: Planned) -> list[Hyper]:
    """Return the options that are saved, and the hyper-parameters of each group."""
    own = {name: opt._options[name] for name in options.SAVED}
    return [own, *(group.hyper for group in opt.param_groups)]


def _checked(
    opt: Planned, saved: Mapping[str, Any], strict: bool, match: Match, hyper: Source
) -> _Checked:
    """Check that a saved dict fits the optimizer."""
    if not isinstance(saved, Mapping):
        raise TypeError(f"saved: expected a state_dict(), found {shown(saved)}")
    if missing := [key for key in _NEEDED if key not in saved]:
        raise ValueError(f"saved: expected a state_dict(), found none of {missing}")
    if not _is(saved["version"], _VERSION):
        raise ValueError(
            f"version: expected {_VERSION}, found {shown(saved['version'])}, which "
            "another version of lrcore has saved"
        )
    if not _is(saved["optimizer"], type(opt).__name__):
        raise ValueError(
            f"optimizer: expected the state of {shortened(type(opt).__name__)}, "
            f"found that of {named(saved['optimizer'])}"
        )
    t = options.STEPS.check("t", saved["t"])
    own = _sets(opt)[0]
    if hyper == "saved":
        own = _checked_options(opt, saved["options"])
    gathered = whole("gathered", saved["gathered"], "an int >= 0", least=0)
    most = min(own["accumulate"], options.MOST)
    if gathered >= most:
        raise ValueError(
            f"gathered: expected less than accumulate = {shown(most)}, "
            f"found {shown(gathered)}"
        )
    scale = POSITIVE.check("gathered_scale", saved.get("gathered_scale", 1.0))
    skips = FLAG.check("gathered_skips", saved.get("gathered_skips", False))
    if strict and match == "place":
        containers.names(saved["names"], opt._tree)
    sources, loaded = matching.sources(opt, saved, match)
    if strict and any(loaded):
        told = "".join(
            f"; {word} [{listed(paths)}]"
            for word, paths in zip(("missing", "unexpected"), loaded, strict=True)
            if paths
        )
        raise ValueError(
            f"names: expected the arrays of this optimizer{told}; strict=False loads "
            "the others"
        )
    states, nonfinite = saved_states.checked(
        *(opt, saved, sources, _classes(opt)), skips=skips or own["skip_nonfinite"]
    )
    steps, never = _checked_steps(opt, saved, t, sources)
    counts = Counts(t, steps, gathered, scale, skips, never)
    groups = {}
    if hyper == "saved":
        theirs = containers.entries("param_groups", saved["param_groups"])
        if strict and len(theirs) != len(opt.param_groups):
            raise ValueError(
                f"param_groups: expected {len(opt.param_groups)}, found {len(theirs)}"
            )
        for i, k in matching.pairs(opt, saved, strict):
            groups[i] = opt.param_groups[i].checked(theirs[k])
    return _Checked(counts, own, groups, states, nonfinite, loaded)


def _checked_steps(
    opt: Planned, saved: Mapping[str, Any], t: int, sources: Sequence[int | None]
) -> tuple[list[int], list[int]]:
    """Return the step count of each of our arrays, and the arrays without gradient."""
    n = len(saved["names"])
    steps = _checked_counts("steps", saved.get("steps", [t] * n), t)
    if len(steps) != n:
        raise ValueError(f"steps: expected {n} numbers, found {len(steps)}")
    never = _checked_counts(
        "without_gradient", saved.get("without_gradient", []), n - 1
    )
    kept = opt._plan.steps
    return (
        [min(kept[k], t) if i is None else steps[i] for k, i in enumerate(sources)],
        [k for k, i in enumerate(sources) if i is None or i in never],
    )


def _checked_counts(name: str, given: Any, most: int) -> list[int]:
    wanted = f"a list of ints from 0 to {shown(most)}"
    if not isinstance(given, (list, tuple)):
        raise TypeError(f"{name}: expected {wanted}, found {shown(given)}")
    counts = [
        whole(f"{name}[{i}]", count, wanted, least=0) for i, count in enumerate(given)
    ]
    if max(counts, default=0) > most:
        raise ValueError(f"{name}: expected {wanted}, found {shown(max(counts))}")
    return counts


def _checked_options(opt: Planned, given: Any) -> Hyper:
    wanted = options.SAVED
    if not isinstance(given, Mapping) or given.keys() != set(wanted):
        raise ValueError(f"options: expected {list(wanted)}, found {keys(given)}")
    return {name: opt._fields[name].check(given[name]) for name in wanted}


def _classes(opt: Planned) -> list[str]:
    """Return the name of the class that updates each array."""
    kinds = [group.optimizer.__name__ for group in opt.param_groups]
    return [kinds[leaf.group] for leaf in opt._tree.leaves]


def _is(found: Any, wanted: int | str) -> bool:
    return type(found) is type(wanted) and found == wanted
