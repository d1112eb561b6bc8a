"""The random generators of NumPy as data."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrcore._core import Commit
from lrcore._shared.words import error, shown
from lrcore._stateful import add_generator

_KNOWN = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
"""The bit generators of NumPy."""


def is_generator(value: Any) -> bool:
    """Return whether this is a generator of NumPy, of the new or the old kind."""
    return isinstance(value, (np.random.Generator, np.random.RandomState))


def state(generator: Any) -> dict[str, Any]:
    """Return the state of a generator, of dicts, numbers, strings and arrays."""
    if isinstance(generator, np.random.RandomState):
        return {"kind": "RandomState", "state": generator.get_state(legacy=False)}
    return {"kind": "Generator", "state": generator.bit_generator.state}


def restored(saved: Any, where: str) -> Any:
    """Return a new generator in a saved state.

    Raises
    ------
    ValueError
        NumPy has no bit generator of this name, or it refuses the state.
    """
    name = saved["state"]["bit_generator"]
    if name not in _KNOWN:
        raise error(
            ValueError,
            where,
            f"expected a bit generator of {list(_KNOWN)}, found "
            f"{shown(name)}; give the generator that is to continue",
        )
    bits = getattr(np.random, name)()
    old = saved["kind"] == "RandomState"
    new = np.random.RandomState(bits) if old else np.random.Generator(bits)
    commit = Commit()
    add_generator(commit, new, saved["state"])
    try:
        commit.make()
    except Exception:  # NumPy raises several
        raise error(
            ValueError,
            where,
            f"expected the state of a {name}, found {shown(saved['state'])}",
        ) from None
    return new


def check(saved: Any, generator: Any, where: str) -> None:
    """Check that a generator can take a saved state.

    Raises
    ------
    ValueError
        It is of another kind, or NumPy refuses the state.
    """
    found, wanted = _told(state(generator)), _told(saved)
    if found != wanted:
        raise error(
            ValueError, where, f"expected a {wanted}, as was saved, found {found}"
        )
    if saved["state"]["bit_generator"] in _KNOWN:
        restored(saved, where)


def _told(saved: Any) -> str:
    return f"{saved['kind']} of {shown(saved['state']['bit_generator'])}"
