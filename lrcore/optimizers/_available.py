"""A list of the optimizers, as data and as a table."""

from __future__ import annotations

from typing import NamedTuple

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
    states, size = Part(kind, kind._defaults()).states
    own = kind._fields.keys() - Optimizer._fields.keys()
    return Available(
        kind,
        states,
        size,
        tuple(name for name in kind._fields if name in own and name != "weight_decay"),
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
