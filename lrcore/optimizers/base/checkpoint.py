"""Saving an optimizer as a dict, and loading it by one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lrcore._core import Commit
from lrcore._shared import arrays
from lrcore._shared.trees import Place
from lrcore._shared.words import listed, shown
from lrcore.optimizers.base import saved_dict, stateful
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.matching import Loaded, Match
from lrcore.optimizers.base.planned import Planned
from lrcore.optimizers.base.saved_dict import Source
from lrcore.optimizers.base.states import saved as saved_arrays
from lrcore.optimizers.base.values import scheduled


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
    own, *groups = stateful.copied(
        [saved_dict.options_to_save(opt, all_options), *hypers]
    )
    copied = iter(copies)
    states = [
        {name: next(copied) for name in saved_arrays(state)} for state in opt.state
    ]
    if opt._plan.ranks is not None:
        from lrcore.optimizers.base import alike, sharded_states

        alike.together(opt._plan.ranks.comm, "state_dict", opt._plan.ranks.check_saved)
        states = sharded_states.whole(opt, states)
    return saved_dict.entries(opt, counts, own, groups, states)


def attributes(opt: Planned) -> list[tuple[Any, str]]:
    """Return what ``Plan.snapshot`` is to read: options, hyper-parameters by group."""
    return [(opt, "_options"), *((group, "_hyper") for group in opt.param_groups)]


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
    found = saved_dict.checked(opt, saved, strict, match, hyper)
    replaced = _replaced_schedules(opt, found.groups)
    (own, *hypers), takes = stateful.inherited(
        [
            saved_dict.options_to_save(opt, opt._options),
            *(opt.param_groups[i].hyper for i in found.groups),
        ],
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
