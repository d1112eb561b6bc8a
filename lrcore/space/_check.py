"""The check of a space that a user passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lrcore._shared.words import shown
from lrcore.space._choices import Choice
from lrcore.space._dimension import Dimension


def check(space: Any) -> dict[str, Dimension]:
    """Return a space as a dict of dimensions: lists become choices.

    Raises
    ------
    TypeError, ValueError
        It is no dict of dimensions by strings, or an empty one, or two dimensions use
        the same parameter of Optuna.
    """
    if not isinstance(space, Mapping):
        raise TypeError(
            'space: expected a dict of dimensions such as {"lr": lrcore.space.lr()}, '
            f"found {shown(space)}"
        )
    if not space:
        raise ValueError(
            "space: expected at least one dimension, such as "
            '{"lr": lrcore.space.lr()}, found none'
        )
    checked: dict[str, Dimension] = {}
    for name, given in space.items():
        if not isinstance(name, str):
            raise TypeError(f"space: expected strings as names, found {shown(name)}")
        if isinstance(given, Dimension):
            checked[name] = given
        elif isinstance(given, list):
            try:
                checked[name] = Choice(*given)
            except (TypeError, ValueError) as error:
                raise type(error)(f"space[{shown(name)}]: {error}") from None
        else:
            fixed = f"a fixed value is [{shown(given)}]"
            advice = "call it" if callable(given) else fixed
            raise TypeError(
                f"space[{shown(name)}]: expected a dimension such as "
                f"lrcore.space.lr(), or a list of values, found {shown(given)}; "
                f"{advice}"
            )
    owners: dict[str, str] = {}
    for name, dimension in checked.items():
        for key in dimension.keys(name):
            other = owners.setdefault(key, name)
            if other != name:
                raise ValueError(
                    f"space[{shown(name)}]: expected a name whose parameters in "
                    f"Optuna's study are its own, found {shown(key)}, which is of "
                    f"{shown(other)} too; rename one"
                )
    return checked
