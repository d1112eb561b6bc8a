"""Checks of saved states: their names, types, shapes and values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lrcore._core import GATHERED, MECHANIC_NUMBERS, NORM_MEAN, RULES, SCALES
from lrcore._shared import arrays, containers
from lrcore._shared.trees import Leaf, Place
from lrcore._shared.types import Array
from lrcore._shared.words import error, listed, named, shortened, shown
from lrcore.optimizers.base import mechanic
from lrcore.optimizers.base.planned import Planned
from lrcore.optimizers.base.states import saved as saved_arrays

States = list[Mapping[str, Array]]
"""The arrays of each parameter, by name."""


def checked(
    opt: Planned,
    saved: Mapping[str, Any],
    sources: Sequence[int | None],
    *,
    skips: bool,
) -> tuple[States, list[Place]]:
    """Return the saved arrays for each of ours, and those that are not finite.

    An array without a match has none.  NaN and infinity are not refused: a run that
    has diverged leaves them, and its user may want to look at it.

    sources : for each of our arrays the index of the saved one, or None.
    skips : whether gathered gradients that are not finite skip the step, so that they
        are no sign of a run that diverged.

    Raises
    ------
    TypeError, ValueError
        An array has another type or shape than ours, or a number below 0 where no step
        makes one.
    """
    found, theirs = _entries(saved)
    mine = [{} if i is None else found[i] for i in sources]
    if not saved["gathered"]:
        pairs = zip(mine, opt.state, strict=True)
        mine = [_as_gathering(new, own) for new, own in pairs]
    if opt._plan.ranks is not None:
        from lrcore.optimizers.base import sharded_states

        mine = sharded_states.own(opt, mine)
    nonfinite: list[Place] = []
    with np.errstate(over="ignore", invalid="ignore"):
        for leaf, own, new, i, kind in zip(
            opt._tree.leaves, opt.state, mine, sources, classes(opt), strict=True
        ):
            if i is None:
                continue
            place = Place("state of params", leaf)
            if not isinstance(theirs[i], str) or theirs[i] != kind:
                raise error(
                    ValueError,
                    place,
                    f"expected that of {shortened(kind)}, found that of "
                    f"{named(theirs[i])}",
                )
            _check_arrays(place, own, new)
            _check_signs(place, new, _never_negative(opt, leaf, own))
            nonfinite += [
                place._replace(then=f": {name}")
                for name, array in new.items()
                if not (skips and name == GATHERED) and not is_finite(array)
            ]
    return mine, nonfinite


def classes(opt: Planned) -> list[str]:
    """Return the name of the class that updates each array."""
    kinds = [group.optimizer.__name__ for group in opt.param_groups]
    return [kinds[leaf.group] for leaf in opt._tree.leaves]


def is_finite(array: Array) -> bool:
    """Return whether all numbers of an array are finite.

    If their sum is, they are; so one pass, which needs no memory, is usually enough.
    """
    array = arrays.bare(array)
    return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def keys(mapping: Any) -> str:
    """Return the keys of a saved dict, or what was found instead of one."""
    return f"[{listed(mapping)}]" if isinstance(mapping, Mapping) else named(mapping)


def _entries(saved: Mapping[str, Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return the saved arrays of each parameter, and its class."""
    states = containers.entries("state", saved["state"])
    classes = saved.get("optimizers", [saved["optimizer"]] * len(states))
    classes = containers.entries("optimizers", classes)
    for name, entries in (("state", states), ("optimizers", classes)):
        if len(entries) != len(saved["names"]):
            raise ValueError(
                f"{name}: expected {len(saved['names'])} entries, found {len(entries)}"
            )
    return states, classes


def _as_gathering(new: Any, own: Mapping[str, Array]) -> Any:
    """Return saved arrays with that for gathered gradients, if and only if we have it.

    Nothing is gathered, so that it does not matter what is in it.
    """
    if not isinstance(new, Mapping) or not new:
        return new
    if (GATHERED in new) == (GATHERED in own):
        return new
    if GATHERED in new:
        return {name: array for name, array in new.items() if name != GATHERED}
    nothing = np.zeros((), own[GATHERED].dtype)
    return {**new, GATHERED: np.broadcast_to(nothing, own[GATHERED].shape)}


def _check_arrays(place: Place, own: Mapping[str, Array], new: Any) -> None:
    """Check the names, types and shapes of a parameter's saved arrays."""
    wanted = set(saved_arrays(own))
    if not isinstance(new, Mapping) or wanted != new.keys():
        raise error(
            ValueError, place, f"expected arrays {sorted(wanted)}, found {keys(new)}"
        )
    for name in new:
        where = place._replace(then=f": {name}")
        if not own[name].flags.writeable:
            raise ValueError(f"{where} is read-only")
        arrays.state(where, new[name], own[name])


def _check_signs(
    place: Place, new: Mapping[str, Array], never_negative: Iterator[str]
) -> None:
    """Refuse numbers below 0 in arrays that have none after any step."""
    for name in never_negative:
        array = arrays.bare(new[name])
        if name == MECHANIC_NUMBERS:
            array = array[mechanic.NEVER_NEGATIVE, :]
        least = np.fmin.reduce(array, axis=None, initial=np.inf)  # NaN is skipped
        if least < 0:
            raise error(
                ValueError,
                place._replace(then=f": {name}"),
                f"expected numbers >= 0, as every step leaves them, found "
                f"{shown(float(least))}",
            )


def _never_negative(
    opt: Planned, leaf: Leaf, own: Mapping[str, Array]
) -> Iterator[str]:
    """Return the names of the states of a parameter that no step makes negative."""
    p = arrays.bare(leaf.array)
    part = opt.param_groups[leaf.group].part_of(p)
    yield from RULES[part.rule].nonnegative
    yield from SCALES[part.scale].nonnegative
    yield from part.kind._nonnegative
    if part.layout.mechanic:
        yield MECHANIC_NUMBERS
    if part.layout.norm_means:
        yield NORM_MEAN
    if part.factoring:  # sums of squares
        sides = [side for side, _ in part.kind._sides(p, own)]
        yield from (name for name in own if any(own[name] is s for s in sides))
