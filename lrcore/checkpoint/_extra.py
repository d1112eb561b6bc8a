"""What a user saves beside the optimizer: loaded as values, or into what is given."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from lrcore._core import Commit
from lrcore._shared import arrays
from lrcore._shared.domains import choice
from lrcore._shared.types import Array
from lrcore._shared.words import error, kind, listed, shown
from lrcore._stateful import add_generator
from lrcore.checkpoint import _random
from lrcore.checkpoint._decode import Decoder
from lrcore.checkpoint._encode import has_state
from lrcore.monitor import Monitor
from lrcore.training import EarlyStopping

DTYPE = choice("same", "convert")


def checked(extra: Any) -> Mapping[str, Any]:
    """Return the argument `extra`: a dict by names; None is an empty one."""
    if extra is None:
        return {}
    if not isinstance(extra, Mapping) or not all(isinstance(k, str) for k in extra):
        raise TypeError(f"extra: expected a dict by names, found {shown(extra)}")
    return extra


def fitted(name: arrays.Name, saved: Array, own: Array, dtype: str) -> Array:
    """Return a saved array for the place of our own; dtype "convert": in its dtype.

    Raises
    ------
    TypeError, ValueError
        It has another dtype or shape, or numbers beyond the range of the dtype.
    """
    floats = isinstance(saved, np.ndarray) and saved.dtype.kind == own.dtype.kind == "f"
    if floats and saved.dtype != own.dtype:
        if dtype == "same":
            raise error(
                TypeError,
                name,
                f"expected dtype {own.dtype}, found {saved.dtype} in the file; "
                'dtype="convert" converts it',
            )
        with np.errstate(over="ignore"):
            saved, before = saved.astype(own.dtype), saved
        beyond = np.isinf(saved) & ~np.isinf(before)
        if beyond.any():
            raise error(
                ValueError,
                name,
                f"expected numbers in the range of {own.dtype}, found "
                f"{shown(float(before[beyond][0]))}",
            )
    arrays.state(name, saved, own)
    return saved


class Loading:
    """Loads a file's `extra`, all of it or nothing.

    The constructor checks it.  Objects then load their states, which `undo` undoes, as
    this runs their own code; arrays and generators are set by the optimizer's commit.

    given : the arrays, generators and objects that are to continue, by name.
    """

    def __init__(
        self,
        saved: Mapping[str, Any],
        given: Mapping[str, Any],
        decoder: Decoder,
        mapped: Decoder,
        dtype: str,
    ) -> None:
        if unknown := [name for name in given if name not in saved]:
            raise ValueError(
                f"extra: expected names of [{listed(saved)}], which were saved, found "
                f"[{listed(unknown)}]"
            )
        self.values: dict[str, Any] = {}
        self._arrays: list[tuple[Array, Array]] = []  # each with its new values
        self._generators: list[tuple[Any, Any]] = []  # each with its new state
        self._objects: list[tuple[Any, Any]] = []  # each with its new state
        self._undo: list[tuple[Any, Any]] = []  # each with its state before
        self._made = False  # whether the commit has been made
        for name, value in saved.items():
            where = f"extra[{shown(name)}]"
            if name not in given:
                self.values[name] = decoder.decode(value, where)
                continue
            own = self.values[name] = given[name]
            tag = next(iter(value), None) if isinstance(value, dict) else None
            if _is_numbers(own) and tag in ("$array", "$complex"):
                own = arrays.bare(own)
                new = fitted(where, decoder.decode(value, where), own, dtype)
                if not own.flags.writeable:
                    raise error(ValueError, where, "found a read-only array")
                self._arrays.append((own, new))
            elif _random.is_generator(own) and tag == "$random":
                state = decoder.decode(value[tag], where)
                _random.check(state, own, where)
                self._generators.append((own, state["state"]))
            elif has_state(own) and tag in ("$state", "$same"):
                # A copy of it reads the map directly; others may keep the arrays.
                reading = mapped if isinstance(own, EarlyStopping) else decoder
                state = reading.state(value, where, own.state_dict())
                if isinstance(own, EarlyStopping):
                    state = _weights(where, state, own, dtype)
                self._objects.append((own, state))
            else:
                raise error(
                    TypeError,
                    where,
                    f"expected what can continue from what was saved (an "
                    f"array, a generator or an object with a state), found {kind(own)}",
                )

    def load_objects(self) -> None:
        """Load the objects."""
        for own, state in self._objects:
            # A copy, as these may be the object's own arrays; and before the load,
            # which may fail when a part is done.
            self._undo.append((own, deepcopy(own.state_dict())))
            own.load_state_dict(state)

    def add_to(self, commit: Commit) -> None:
        """Let a commit set the arrays and generators; then nothing is undone."""
        for own, new in self._arrays:
            commit.copy(own, new)
        for generator, state in self._generators:
            add_generator(commit, generator, state)
        for monitor, _ in self._anew():
            commit.set(monitor._rollback, "_kept", [])
        commit.set(self, "_made", True)

    def undo(self) -> None:
        """Set the loaded objects back, unless the commit has been made.

        The handler of a signal may raise an error at the moment when it has been.
        """
        if not self._made:
            for own, before in self._undo:
                own.load_state_dict(before)

    def finish(self) -> None:
        """Let rollbacks that were not saved begin with what is loaded now."""
        for monitor, state in self._anew():
            monitor.load_state_dict(state)

    def _anew(self) -> list[tuple[Monitor, Any]]:
        """Return the monitors with a rollback of which the file has none."""
        return [
            (own, state)
            for own, state in self._objects
            if isinstance(own, Monitor) and own._rollback and not state["rollback"]
        ]


def _is_numbers(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "biufc"


def _weights(
    where: str, state: dict[str, Any], own: EarlyStopping, dtype: str
) -> dict[str, Any]:
    """Return the state of an early stopping with weights in the dtype of its params."""
    kept = own._kept
    if dtype == "same" or len(state["weights"]) != len(kept):
        return state
    weights = [
        fitted(f"{where}: weights[{i}]", new, old, dtype)
        for i, (new, old) in enumerate(zip(state["weights"], kept, strict=True))
    ]
    return {**state, "weights": weights}
