"""Saving an optimizer as a dict, and restoring it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lrcore._shared import arrays, containers, refusals
from lrcore._shared.domains import whole
from lrcore._shared.trees import Place
from lrcore._shared.types import Array
from lrcore._shared.words import error, listed, named, shortened, shown
from lrcore.optimizers.base import options, stateful
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.states import saved as saved_arrays

if TYPE_CHECKING:
    from lrcore.optimizers.base.optimizer import Optimizer

_VERSION = 1
"""Of the layout of the dict."""

_ENTRIES = (
    *("version", "optimizer", "t", "gathered", "options", "param_groups", "names"),
    "state",
)


class _Checked(NamedTuple):
    """What a saved dict holds, once it is known to fit the optimizer."""

    t: int
    steps: list[int]
    gathered: int
    without_gradient: list[int]
    options: Hyper
    groups: list[Hyper]
    states: Sequence[Mapping[str, Array]]


def save(opt: Optimizer) -> dict[str, Any]:
    """Return copies of all that the next steps depend on, except the params."""
    opt._refuse_in_step()
    if opt._plan.to_come:
        refusals.unfinished(opt._tree, opt._plan.to_come)
    own, *groups = stateful.copied(_sets(opt))
    return {
        "version": _VERSION,
        "optimizer": type(opt).__name__,
        "t": opt.t,
        "steps": opt._plan.steps,
        "gathered": opt._plan.gathered,
        "without_gradient": opt._plan.without_gradient,
        "options": own,
        "param_groups": groups,
        "names": [leaf.path for leaf in opt._tree.leaves],
        "state": [
            {name: state[name].copy() for name in saved_arrays(state)}
            for state in opt.state
        ],
    }


def load(opt: Optimizer, saved: Mapping[str, Any]) -> None:
    """Let an optimizer continue where the one that was saved stood."""
    if not opt._plan.torn:  # by a fork: then this is what mends it
        opt._refuse_in_step()
    found = _checked(opt, saved)
    # Copied before anything is written: they may be views of each other.
    copies = [{name: new[name].copy() for name in new} for new in found.states]
    (own, *hypers), takes = stateful.inherited(
        _sets(opt), [found.options, *found.groups]
    )

    options.replace(opt, {**opt._options, **own})  # which may refuse them
    for own_schedule, new_schedule in takes:
        own_schedule._take(new_schedule)
    opt._plan.restart(found.t, found.steps, found.gathered, found.without_gradient)
    for group, hyper in zip(opt.param_groups, hypers, strict=True):
        group.replace(hyper)
    for state, new in zip(opt.state, copies, strict=True):
        for name, array in new.items():
            state[name][...] = array


def _sets(opt: Optimizer) -> list[Hyper]:
    """Return the options that are saved, and the hyper-parameters of each group."""
    own = {name: opt._options[name] for name in options.SAVED}
    return [own, *(group.hyper for group in opt.param_groups)]


def _checked(opt: Optimizer, saved: Mapping[str, Any]) -> _Checked:
    """Check all of a saved dict against the optimizer that is to take it."""
    if not isinstance(saved, Mapping):
        raise TypeError(f"saved: expected a state_dict(), found {shown(saved)}")
    if missing := [key for key in _ENTRIES if key not in saved]:
        raise ValueError(f"saved: expected a state_dict(), found none of {missing}")
    if saved["version"] != _VERSION:
        raise ValueError(
            f"version: expected {_VERSION}, found {shown(saved['version'])}, which "
            "another version of lrcore has saved"
        )
    if saved["optimizer"] != type(opt).__name__:
        raise ValueError(
            f"optimizer: expected the state of {shortened(type(opt).__name__)}, "
            f"found that of {named(saved['optimizer'])}"
        )
    t = whole("t", saved["t"], "an int >= 0", least=0)
    n_arrays = len(opt.state)
    own = _checked_options(opt, saved["options"])
    gathered = whole("gathered", saved["gathered"], "an int >= 0", least=0)
    if gathered >= own["accumulate"]:
        raise ValueError(
            f"gathered: expected less than accumulate = {shown(own['accumulate'])}, "
            f"found {shown(gathered)}"
        )
    steps = _checked_counts("steps", saved.get("steps", [t] * n_arrays), 0, t)
    if len(steps) != n_arrays:
        raise ValueError(f"steps: expected {n_arrays} numbers, found {len(steps)}")
    never = _checked_counts(
        "without_gradient", saved.get("without_gradient", []), 0, n_arrays - 1
    )
    containers.names(saved["names"], opt._tree)
    _check_states(opt, saved["state"])
    if len(saved["param_groups"]) != len(opt.param_groups):
        raise ValueError(
            f"param_groups: expected {len(opt.param_groups)}, "
            f"found {len(saved['param_groups'])}"
        )
    pairs = list(zip(opt.param_groups, saved["param_groups"], strict=True))
    groups = [group.checked(new) for group, new in pairs]
    return _Checked(t, steps, gathered, never, own, groups, saved["state"])


def _checked_counts(name: str, given: Any, least: int, most: int) -> list[int]:
    wanted = f"a list of ints from {least} to {shown(most)}"
    if not isinstance(given, (list, tuple)):
        raise TypeError(f"{name}: expected {wanted}, found {shown(given)}")
    counts = [
        whole(f"{name}[{i}]", count, wanted, least=least)
        for i, count in enumerate(given)
    ]
    if max(counts, default=least) > most:
        raise ValueError(f"{name}: expected {wanted}, found {shown(max(counts))}")
    return counts


def _checked_options(opt: Optimizer, given: Any) -> Hyper:
    wanted = options.SAVED
    if not isinstance(given, Mapping) or given.keys() != set(wanted):
        raise ValueError(f"options: expected {list(wanted)}, found {_keys(given)}")
    return {name: opt._fields[name].check(given[name]) for name in wanted}


def _check_states(opt: Optimizer, states: Sequence[Any]) -> None:
    if len(states) != len(opt.state):
        raise ValueError(
            f"state: expected {len(opt.state)} entries, found {len(states)}"
        )
    for leaf, own, new in zip(opt._tree.leaves, opt.state, states, strict=True):
        wanted = set(saved_arrays(own))
        if not isinstance(new, Mapping) or wanted != new.keys():
            raise error(
                ValueError,
                Place("state of params", leaf),
                f"expected arrays {sorted(wanted)}, found {_keys(new)}",
            )
        for name in new:
            where = Place("state of params", leaf, f": {name}")
            if not own[name].flags.writeable:
                raise ValueError(f"{where} is read-only")
            arrays.state(where, new[name], own[name])


def _keys(mapping: Any) -> str:
    return f"[{listed(mapping)}]" if isinstance(mapping, Mapping) else named(mapping)
