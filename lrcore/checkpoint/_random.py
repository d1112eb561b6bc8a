"""The random generators of NumPy as data."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrcore._shared.words import error, shown

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
        NumPy has no bit generator of this name.
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
    put(saved, new)
    return new


def put(saved: Any, generator: Any) -> None:
    """Set a generator, which `check` has passed, to a saved state."""
    if saved["kind"] == "RandomState":
        generator.set_state(saved["state"])
    else:
        generator.bit_generator.state = saved["state"]


def check(saved: Any, generator: Any, where: str) -> None:
    """Check that a generator can take a saved state.

    Raises
    ------
    ValueError
        It is of another kind.
    """
    found, wanted = _told(state(generator)), _told(saved)
    if found != wanted:
        raise error(
            ValueError, where, f"expected a {wanted}, as was saved, found {found}"
        )


def _told(saved: Any) -> str:
    return f"{saved['kind']} of {shown(saved['state']['bit_generator'])}"
