"""A list of the optimizers, as data and as the README's table."""

from __future__ import annotations

from inspect import signature
from typing import NamedTuple

from lrcore.optimizers.base.keywords import Hyper
from lrcore.optimizers.base.optimizer import Optimizer
from lrcore.optimizers.base.part import Part


class Available(NamedTuple):
    """An optimizer at its defaults.

    kind : its class.
    states : names of the state arrays of a parameter; an option can add one.
    bytes_per_element : bytes of these in float32, for each element of the parameter.
    options : its own arguments, without params, lr, weight_decay and the common ones.
    conventions : the values of ``convention`` that it takes.
    """

    kind: type[Optimizer]
    states: tuple[str, ...]
    bytes_per_element: int
    options: tuple[str, ...]
    conventions: tuple[str, ...]


def describe(kind: type[Optimizer]) -> Available:
    """Return the entry of a class."""
    given = signature(kind).parameters.values()
    defaults: Hyper = {p.name: p.default for p in given if p.default is not p.empty}
    states, size = kind._states_of(Part(kind, {**defaults, **kind._defaults()}))
    options = [name for name in defaults if name not in ("lr", "weight_decay")]
    return Available(
        kind,
        states,
        size,
        (*options, *kind._flags),
        tuple(kind._known_conventions()),
    )


def table(kinds: dict[str, Available]) -> str:
    """Return the optimizers as a table in Markdown."""
    lines = [
        "| class | state arrays | bytes an element | options | conventions |",
        "|---|---|---|---|---|",
    ]
    for name, a in kinds.items():
        options = ", ".join(f"`{option}`" for option in a.options)
        states = ", ".join(a.states) or "none"
        others = ", ".join(a.conventions)
        lines.append(
            f"| `{name}` | {states} | {a.bytes_per_element} | {options} | {others} |"
        )
    return "\n".join(lines) + "\n"
