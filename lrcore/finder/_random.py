"""Random generators: which there are, and their states."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import numpy as np

from lrcore._shared.domains import iterates
from lrcore._shared.words import shown

Rng = np.random.Generator | np.random.RandomState | np.random.BitGenerator

PYTHON = random._inst
"""The global generator of Python."""


def generators(rng: Rng | Iterable[Rng] | None) -> list[Rng]:
    """Return the argument `rng` as a list of generators."""
    kinds = (np.random.Generator, np.random.RandomState, np.random.BitGenerator)
    given: Any = [] if rng is None else rng
    listed = list(given) if iterates(given) else [given]
    for one in listed:
        if not isinstance(one, kinds):
            raise TypeError(
                "rng: expected a numpy.random.Generator, or several, found "
                f"{shown(one)}"
            )
    return listed


def global_states() -> tuple[Any, Any]:
    """Return the states of the global generators of NumPy and of Python."""
    return np.random.get_state(legacy=False), random.getstate()  # noqa: NPY002 # users'


def alike(one: Any, other: Any) -> bool:
    """Whether two states of a generator of NumPy are equal."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            alike(value, other[name]) for name, value in one.items()
        )
    return np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other


def state_of(rng: Rng) -> Any:
    """Return the state of a user's generator."""
    if isinstance(rng, np.random.RandomState):
        return rng.get_state(legacy=False)
    bits: Any = getattr(rng, "bit_generator", rng)
    return bits.state
