"""The entries of a saved optimizer, as a dict, and their checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from lrcore._core import Counts
from lrcore._shared import containers
from lrcore._shared.domains import FLAG, POSITIVE, count, whole
from lrcore._shared.trees import Place
from lrcore._shared.words import listed, named, shortened, shown
from lrcore.optimizers.base import matching, options, saved_states
from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.matching import Loaded, Match
from lrcore.optimizers.base.planned import Planned
from lrcore.optimizers.base.saved_states import States, keys

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


class Checked(NamedTuple):
    """The contents of a saved dict, after all checks."""

    counts: Counts
    options: Hyper
    groups: dict[int, Hyper]
    states: States
    nonfinite: list[Place]
    loaded: Loaded


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
        "optimizers": saved_states.classes(opt),
        "names": [leaf.path for leaf in opt._tree.leaves],
        "state": states,
    }


def options_to_save(opt: Planned, given: Hyper) -> Hyper:
    """Return those of an optimizer's options that change results.

    Of several ranks, `accumulate` is the number of micro-batches of all.
    """
    own = {name: given[name] for name in options.SAVED}
    if opt._plan.ranks is not None:
        own["accumulate"] = opt._plan.ranks.calls
    return own


def checked(
    opt: Planned, saved: Mapping[str, Any], strict: bool, match: Match, hyper: Source
) -> Checked:
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
    own = options_to_save(opt, opt._options)
    if hyper == "saved":
        own = _checked_options(opt, saved["options"])
    if opt._plan.ranks is not None:  # each rank keeps its own
        own["accumulate"] = opt._options["accumulate"]
        opt._plan.ranks.check_saved(saved["gathered"])
    gathered = count(0).check("gathered", saved["gathered"])
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
        opt, saved, sources, skips=skips or own["skip_nonfinite"]
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
    return Checked(counts, own, groups, states, nonfinite, loaded)


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


def _is(found: Any, wanted: int | str) -> bool:
    return type(found) is type(wanted) and found == wanted
