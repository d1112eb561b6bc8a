"""Values as JSON, and as arrays that a file has as tensors; `_decode` is the reverse.

JSON's own values stand for themselves.  All else is a dict with one key, which begins
with "$": ``{"$tuple": [1, 2]}``, ``{"$array": "params.w"}``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import count
from typing import Any

import numpy as np

from lrcore._shared.arrays import is_masked
from lrcore._shared.types import Array
from lrcore._shared.words import error, kind, shortened, shown
from lrcore._stateful import StatefulSetting
from lrcore.checkpoint import _layout, _random
from lrcore.schedules import Schedule
from lrcore.schedules._schedule import DEEPEST

_DEEPEST = 2 * DEEPEST + 10
"""The most containers within each other, of which JSON's readers limit the number.

A schedule that holds others has two: its dict, and the list of the others.
"""

_WIDEST = 4096
"""The most bits of an int: Python limits the digits that it reads."""

_TAKEN = (
    "arrays, numbers, strings, True, False, None, lists, tuples and dicts of them, "
    "random generators of NumPy, schedules, and objects with state_dict() and "
    "load_state_dict()"
)


class Encoder:
    """Turns values into JSON, and collects their arrays by name.

    functions : the places and names of functions, which are no data and have to be
        given again.  They may only be hyper-parameters, and in states of objects.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self.functions: list[str] = []
        self._names: dict[int, str] = {}  # of arrays by id
        self._plateaus: dict[int, int] = {}  # their numbers by id
        self._held: list[Any] = []  # so that no id is used again
        self._within: list[Any] = []  # the containers around a value

    def encode(self, value: Any, where: str, name: str) -> Any:
        """Return a value as JSON.

        where : its place in the words of errors.  name : that of its tensor.

        Raises
        ------
        TypeError, ValueError
            It is no data.
        """
        if value is None or type(value) in (bool, str):
            return value
        if type(value) is int and value.bit_length() <= _WIDEST:
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"$float": repr(value)}
        if isinstance(value, (np.ndarray, np.generic)):
            return self._array(value, where, name)
        if any(each is value for each in self._within):
            raise error(ValueError, where, "found a container that contains itself")
        if len(self._within) == _DEEPEST:
            raise error(
                ValueError, where, f"found more than {_DEEPEST} containers around it"
            )
        self._within.append(value)
        try:
            return self._container(value, where, name)
        finally:
            self._within.pop()

    def _container(self, value: Any, where: str, name: str) -> Any:
        if isinstance(value, (list, tuple)):
            parts = []
            for i, each in enumerate(value):  # no comprehension: it recurses deeper
                parts.append(self.encode(each, f"{where}[{i}]", f"{name}.{i}"))
            return parts if isinstance(value, list) else {"$tuple": parts}
        if isinstance(value, Mapping):
            return self._dict(value, where, name)
        if _random.is_generator(value):
            return {"$random": self.encode(_random.state(value), where, name)}
        if isinstance(value, Schedule):
            return self._schedule(value, where, name)
        if has_state(value):
            return self._object(value, where, name)
        if callable(value) and any(map(has_state, self._within)):
            return self._function(value, where)
        raise error(TypeError, where, f"expected {_TAKEN}, found {shown(value)}")

    def name_of(self, array: Array) -> str | None:
        """Return the name of the tensor of an array, if it has been encoded."""
        return self._names.get(id(array))

    def hyper(self, value: Any, where: str, name: str) -> Any:
        """Return a hyper-parameter as JSON: of a function, only its name."""
        if isinstance(value, tuple):
            parts = [self.hyper(v, f"{where}[{i}]", name) for i, v in enumerate(value)]
            return {"$tuple": parts}
        if callable(value) and not isinstance(value, (Schedule, StatefulSetting)):
            return self._function(value, where)
        return self.encode(value, where, name)

    def _function(self, value: Any, where: str) -> Any:
        told = _name(value)
        self.functions.append(f"{shortened(where)}: {told}")
        return {"$function": told}

    def _array(self, value: Any, where: str, name: str) -> Any:
        """Add an array, or a number of NumPy, to the tensors."""
        if is_masked(value):
            raise error(
                TypeError, where, "found a masked array; save its .data and its .mask"
            )
        array: Array = np.asarray(value)
        if array.dtype.kind == "c" and array.dtype.itemsize <= 16:
            parts = np.stack([array.real, array.imag], axis=-1)
            is_array = isinstance(value, np.ndarray)
            return {"$complex": [self._array(parts, where, name), is_array]}
        if _layout.code_of(array.dtype) is None:
            raise error(
                TypeError,
                where,
                f"expected an array of bools, ints or floats of at most 64 "
                f"bits, or of complex numbers, found dtype {shown(array.dtype)}",
            )
        known = self._names.get(id(value))
        if known is None:
            known = self._unused(name)
            self.arrays[known] = array
            self._names[id(value)] = known
            self._held.append(value)
        return {"$array" if isinstance(value, np.ndarray) else "$number": known}

    def _unused(self, name: str) -> str:
        """Return a name that no tensor has, in characters that UTF-8 has."""
        name = name.encode("utf-8", "backslashreplace").decode()
        names = (f"{name}#{i}" if i else name for i in count())
        return next(each for each in names if each not in self.arrays)

    def _dict(self, value: Mapping[Any, Any], where: str, name: str) -> Any:
        for key in value:
            if not isinstance(key, (str, int, float, tuple, type(None))):
                raise error(
                    TypeError,
                    where,
                    f"expected keys of strings, numbers and tuples, found {shown(key)}",
                )
        pairs = []
        for key, v in value.items():
            inner = self.encode(v, f"{where}[{shown(key)}]", f"{name}.{key}")
            pairs.append((key, inner))
        plain = all(type(key) is str and not key.startswith("$") for key in value)
        if plain:
            return dict(pairs)
        keys = [self.encode(key, where, name) for key, _ in pairs]
        return {"$dict": [[key, v] for key, (_, v) in zip(keys, pairs, strict=True)]}

    def _schedule(self, value: Schedule, where: str, name: str) -> Any:
        """Return a schedule as data, unless there is a function in it."""
        try:
            parameters = value.to_dict()
            Encoder().encode(parameters, where, name)
        except TypeError:
            return self._function(value, where)
        return {"$schedule": self.encode(parameters, where, name)}

    def _object(self, value: Any, where: str, name: str) -> Any:
        """Return the state of an object; of a plateau that two groups share, once."""
        if id(value) in self._plateaus:
            return {"$same": self._plateaus[id(value)]}
        number = None
        if isinstance(value, StatefulSetting):
            number = self._plateaus[id(value)] = len(self._plateaus)
            self._held.append(value)
        own = value.state_dict()
        if not isinstance(own, Mapping) or not all(isinstance(key, str) for key in own):
            raise error(
                TypeError,
                where,
                f"expected state_dict() to return a dict by names, found {shown(own)}",
            )
        state = {
            key: self.encode(v, f"{where}: {key}", f"{name}.{key}")
            for key, v in own.items()
        }
        return {"$state": [type(value).__name__, state, number]}


def has_state(value: Any) -> bool:
    """Return whether an object says what it is by `state_dict`, and can take it."""
    return not isinstance(value, type) and all(
        callable(getattr(value, name, None))
        for name in ("state_dict", "load_state_dict")
    )


def _name(function: Any) -> str:
    """Return the name of a function, without its address."""
    name = getattr(function, "__qualname__", None)
    if not isinstance(name, str):
        return shown(function) if isinstance(function, Schedule) else kind(function)
    return shortened(f"{getattr(function, '__module__', None)}.{name}")
